"""The assignment problem by Munkres' algorithm (1957), in pure Python.

Zeros of the reduced matrix are starred, at most one in each row and column; every column with a starred zero is
covered. When all columns are covered, the stars are the assignment. Otherwise an uncovered zero is primed. If its row
has a star, the row is covered and the star's column is uncovered; if not, a path of alternating primes and stars gives
one more star. If there is no uncovered zero, subtracting the least uncovered value creates one.
"""


def assign(costs: list[list[float]]) -> list[tuple[int, int]]:
    """Return the pairs (row, column) of least total cost, min(rows, columns) of them, by row.

    Args:
        costs: A matrix of finite numbers; it need not be square.
    """
    rows = len(costs)
    columns = len(costs[0]) if rows else 0
    size = max(rows, columns)
    square = [[costs[r][c] if r < rows and c < columns else 0.0 for c in range(size)] for r in range(size)]
    stars = _Munkres(square).solve()
    return [(row, column) for row, column in enumerate(stars[:rows]) if column < columns]


class _Munkres:
    """The state of a run: the reduced square matrix, its marks and its covered lines."""

    def __init__(self, matrix: list[list[float]]) -> None:
        self.size = len(matrix)
        self.matrix = [[value - min(row) for value in row] for row in matrix]
        self.star_in_row = [-1] * self.size
        self.star_in_column = [-1] * self.size
        self.prime_in_row = [-1] * self.size
        self.row_covered = [False] * self.size
        self.column_covered = [False] * self.size

    def solve(self) -> list[int]:
        """Return the column of each row."""
        for row in range(self.size):
            for column in range(self.size):
                free = self.star_in_row[row] < 0 and self.star_in_column[column] < 0
                if free and self.matrix[row][column] == 0:
                    self._star(row, column)
        self._cover_starred_columns()
        while not all(self.column_covered):
            row, column = self._uncovered_zero()
            if row < 0:
                self._make_zero()
                continue
            self.prime_in_row[row] = column
            star = self.star_in_row[row]
            if star < 0:
                self._augment(row, column)
                self._cover_starred_columns()
            else:
                self.row_covered[row] = True
                self.column_covered[star] = False
        return self.star_in_row

    def _star(self, row: int, column: int) -> None:
        self.star_in_row[row] = column
        self.star_in_column[column] = row

    def _cover_starred_columns(self) -> None:
        self.row_covered = [False] * self.size
        self.column_covered = [row >= 0 for row in self.star_in_column]
        self.prime_in_row = [-1] * self.size

    def _uncovered_zero(self) -> tuple[int, int]:
        for row in range(self.size):
            if not self.row_covered[row]:
                for column in range(self.size):
                    if not self.column_covered[column] and self.matrix[row][column] == 0:
                        return row, column
        return -1, -1

    def _augment(self, row: int, column: int) -> None:
        """Star the primes of the path that begins at (row, column) and unstar its stars."""
        while True:
            displaced = self.star_in_column[column]
            self._star(row, column)
            if displaced < 0:
                return
            row, column = displaced, self.prime_in_row[displaced]

    def _make_zero(self) -> None:
        """Add the least uncovered value to covered rows, and subtract it from uncovered columns."""
        least = min(
            self.matrix[row][column]
            for row in range(self.size)
            if not self.row_covered[row]
            for column in range(self.size)
            if not self.column_covered[column]
        )
        for row in range(self.size):
            for column in range(self.size):
                if self.row_covered[row]:
                    self.matrix[row][column] += least
                if not self.column_covered[column]:
                    self.matrix[row][column] -= least
