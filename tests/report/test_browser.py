"""The HTML page in a real browser: it loads without messages, shows all its content, and fits a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browser import Browser, browser
from support.made_up_run import make_run

from rsis.report.run import write_report
from rsis.report.tables.experiments import Experiment

pytestmark = pytest.mark.browser

EXPERIMENTS = [
    Experiment(name, {"metrics/demo.json:cvppp/sbd": 0.5}, {"runs.demo.model.hidden_widths": widths})
    for name, widths in (("HEAD", "[64, 32, 16, 8]"), ("twice-as-wide-as-before", "[128, 64, 32, 16]"))
]
WIDE = """
[...document.querySelectorAll("body *")]
    .filter(node => !node.closest(".box, pre") && node.getBoundingClientRect().right > innerWidth + 0.5)
    .map(node => `${node.tagName} ${node.textContent.slice(0, 40)}`)
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    names = ("tiny", "scenes", "streets")
    runs = [make_run(folder, f"{name}_with_a_long_name", dataset=name) for name in names]
    return write_report("three", runs, folder / "reports", experiments=EXPERIMENTS).html


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile") / "chromium") as tab:
        yield tab


@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_loads_without_a_word_and_all_is_there(tab: Browser, page: Path, width: int) -> None:
    tab.open(page, width)
    text = page.read_text(encoding="utf-8")
    assert tab.complaints() == []
    assert tab.evaluate("document.title").startswith("RSIS: tiny_with_a_long_name")
    assert tab.evaluate("document.querySelectorAll('table').length") == text.count("<table") == 6
    shown = tab.evaluate("[...document.images].map(image => [image.complete, image.naturalWidth, image.width])")
    assert len(shown) == text.count("<img ") > 3 * 6 * 3  # of the gallery, and more
    assert all(complete and natural > 0 and drawn > 50 for complete, natural, drawn in shown)
    rows = tab.evaluate("[...document.querySelectorAll('tbody tr')].map(row => row.getBoundingClientRect().height)")
    assert min(rows) > 10


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_is_wider_than_the_window(tab: Browser, page: Path, width: int) -> None:
    tab.open(page, width)
    assert tab.evaluate("innerWidth") == width  # a phone would zoom out of a page that is too wide
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    assert tab.evaluate(WIDE) == []
    scrolled = "[...document.querySelectorAll('.box')].filter(box => box.scrollWidth > box.clientWidth).length"
    assert tab.evaluate(scrolled) > 0  # wide tables scroll, not the page


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_a_table_over_many_seeds_scrolls_within_itself(tab: Browser, tmp_path: Path, width: int) -> None:
    runs = [make_run(tmp_path, f"a_long_name_of_a_run-seed{seed}", seed=seed) for seed in range(5)]
    tab.open(write_report("seeds", runs, tmp_path / "reports").html, width)
    assert tab.complaints() == []
    assert tab.evaluate("document.querySelectorAll('#seeds table th[scope=col]').length") == 1 + 5 + 2
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    assert tab.evaluate(WIDE) == []


def test_links_lead_somewhere(tab: Browser, page: Path) -> None:
    tab.open(page, 390)
    lost = "[...document.links].filter(a => !document.querySelector(a.getAttribute('href'))).length"
    assert tab.evaluate("document.links.length") >= 5
    assert tab.evaluate(lost) == 0


def test_a_broken_page_is_noticed(tab: Browser, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text(
        '<!DOCTYPE html><title>x</title><img src="none.png"><script>console.error("first"); fail()</script>'
        '<div style="width: 900px">wide</div>'
    )
    tab.open(broken, 390)
    complaints = " ".join(tab.complaints())
    for word in ("first", "fail is not defined", "ERR_FILE_NOT_FOUND"):
        assert word in complaints
    assert tab.evaluate("document.images[0].naturalWidth") == 0
    assert tab.evaluate("document.documentElement.scrollWidth") > 390
