"""Networks of others behind the same commands, as rivals: nothing in them is the paper's or ours."""
