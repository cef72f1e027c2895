"""The report in a headless Chromium: as a reader sees it, on a screen, a phone and paper."""

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.grids import grid, slow
from support.report_samples import OUTPUTS, STEPS, activity, long_names, write_run

from netdesc.description.models.loss import SpikeTime
from netdesc.losses.target_losses import SpikeTimeLoss
from netdesc.report import write_report

sync_api = pytest.importorskip("playwright.sync_api")

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    runs = {
        "spikes": write_run(folder / "spikes" / "run"),
        "classes": write_run(folder / "classes" / "run", classes=True),
        "interrupted": write_run(
            folder / "interrupted" / "run", status="interrupted", epochs=1, classes=True
        ),
        "empty": write_run(folder / "empty" / "run", status="failed", epochs=0),
        "long names": write_run(folder / "long" / "run", changes=long_names()),
    }
    return {name: write_report(run) for name, run in runs.items()}


@pytest.fixture(scope="module")
def long_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run with more steps than there is room for beside other pictures."""
    folder = write_run(
        tmp_path_factory.mktemp("long") / "run", changes={"time": {"steps": 1500, "step_ms": 1.0}}
    )
    return write_report(folder)


@dataclass
class OpenPage:
    """An open page, and what it complained about and asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def show(browser: Any) -> Iterator[Any]:
    contexts = []

    def open_page(
        path: Path, width: int = 1280, scheme: str = "light", **settings: Any
    ) -> OpenPage:
        settings = {"viewport": {"width": width, "height": 800}} | settings
        context = browser.new_context(color_scheme=scheme, **settings)
        contexts.append(context)
        shown = OpenPage(context.new_page())
        shown.page.on("console", lambda message: shown.complaints.append(message.text))
        shown.page.on("pageerror", lambda error: shown.complaints.append(str(error)))
        shown.page.on("request", lambda request: shown.requests.append(request.url))
        shown.page.goto(path.as_uri())
        return shown

    yield open_page
    for context in contexts:
        context.close()


def wait_until(page: Any, expression: str) -> None:
    """Playwright's own waiting evaluates texts inside the page, which its policy forbids."""
    for _ in range(100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never came true: {expression}")


DRAWN = """
[...document.querySelectorAll(".plot-area")].map(area => {
  const marks = [...area.querySelectorAll(".js-line, .bars path, .scatterlayer .point")];
  return marks.length > 0 && marks.every(mark => (mark.getAttribute("d") || "").length > 3)
    && area.getBoundingClientRect().height > 100;
})
"""
IMAGES = """
[...document.images].map(image => image.complete && image.naturalWidth > 0 && image.width > 100)
"""
COVERED = """
[...document.querySelectorAll(".plot-area")].filter(area => {
  const bar = area.querySelector(".modebar").getBoundingClientRect();
  return !bar.height || bar.bottom > area.querySelector(".nsewdrag").getBoundingClientRect().top;
}).map(area => area.getAttribute("aria-label"))
"""
OVERFULL = (
    "[...document.querySelectorAll('.facts, .facts *')].some(e => e.scrollWidth > e.clientWidth)"
)
TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"


@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), pytest.param(390, "dark", marks=slow)]
)
@pytest.mark.parametrize("name", grid(["spikes", "classes", "interrupted", "empty"], ["spikes"]))
def test_every_figure_is_drawn_and_nothing_is_loaded(
    reports: dict[str, Path], show: Any, name: str, width: int, scheme: str
) -> None:
    shown = show(reports[name], width, scheme)
    figures = shown.page.evaluate(DRAWN)
    assert len(figures) >= 4
    assert all(figures)
    assert shown.page.evaluate(COVERED) == [], "plotly's buttons cover curves"
    images = shown.page.evaluate(IMAGES)
    assert len(images) >= 5
    assert all(images)
    assert not shown.page.evaluate(TOO_WIDE)
    assert shown.complaints == []
    assert [url for url in shown.requests if not url.startswith("data:")] == [
        reports[name].as_uri()
    ]


def test_the_slider_shows_the_picture_appear(reports: dict[str, Path], show: Any) -> None:
    page = show(reports["spikes"], reduced_motion="reduce").page
    slider, label = page.locator("#epoch-slider"), page.locator("#epoch-label")
    source = "document.getElementById('epoch-image').src"
    assert label.inner_text() == "after 30 epochs"
    last = page.evaluate(source)
    slider.focus()
    page.keyboard.press("Home")
    assert label.inner_text() == "before training, loss 100"
    assert page.evaluate(source) != last
    page.keyboard.press("ArrowRight")
    assert label.inner_text() == "after 3 epochs, loss 25"
    page.locator("#epoch-play").click()
    wait_until(page, f"{LABEL} === 'after 30 epochs'")
    assert page.evaluate(source) == last


LABEL = "document.getElementById('epoch-label').textContent"
NEURON = "document.querySelector('.neuron')"
STILL = {"java_script_enabled": False}


def test_the_epoch_slider_plays_once_it_is_in_view(reports: dict[str, Path], show: Any) -> None:
    page = show(reports["spikes"], viewport={"width": 1280, "height": 300}).page
    page.wait_for_timeout(300)
    last = page.evaluate("document.getElementById('epoch-image').src")
    assert page.evaluate(LABEL) == "after 30 epochs"
    page.evaluate("document.getElementById('epoch-image').scrollIntoView({block: 'center'})")
    wait_until(page, f"{LABEL}.startsWith('before training')")
    assert page.locator("#epoch-play").inner_text() == "Pause"
    wait_until(page, f"{LABEL} === 'after 30 epochs'")
    assert page.locator("#epoch-play").inner_text() == "Play"
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(100)
    page.evaluate("document.getElementById('epoch-image').scrollIntoView({block: 'center'})")
    page.wait_for_timeout(600)
    assert page.evaluate(LABEL) == "after 30 epochs"
    assert page.evaluate("document.getElementById('epoch-image').src") == last
    above = "document.getElementById('epoch-play').getBoundingClientRect().bottom"
    assert page.evaluate(
        f"{above} <= document.getElementById('epoch-image').getBoundingClientRect().top"
    )


@pytest.mark.parametrize("settings", grid([{"reduced_motion": "reduce"}, STILL], [STILL]))
def test_the_epoch_slider_stands_still_with_reduced_motion_or_without_scripts(
    reports: dict[str, Path], show: Any, settings: dict[str, Any]
) -> None:
    page = show(reports["spikes"], 1280, **settings).page
    page.locator("#epoch-image").scroll_into_view_if_needed()
    page.wait_for_timeout(600)
    assert page.locator("#epoch-label").inner_text().strip().startswith("after 30 epochs")
    assert page.locator("#epoch-play").is_visible() is ("reduced_motion" in settings)
    assert page.locator("noscript p").is_visible() is ("reduced_motion" not in settings)


@slow
def test_paper_shows_the_last_epoch(reports: dict[str, Path], show: Any) -> None:
    page = show(reports["spikes"]).page
    page.locator("#epoch-image").scroll_into_view_if_needed()
    wait_until(page, f"{LABEL}.startsWith('before training')")
    page.emulate_media(media="print")
    wait_until(page, f"{LABEL} === 'after 30 epochs'")
    page.wait_for_timeout(600)
    assert page.evaluate(LABEL) == "after 30 epochs"


CLIPPED = """
[...document.querySelectorAll(".plot-area")].filter(area => {
  const all = area.getBoundingClientRect();
  return [...area.querySelectorAll("text")].map(text => text.getBoundingClientRect()).some(
    text => text.width && (text.left < all.left - 1 || text.right > all.right + 1
      || text.top < all.top - 1 || text.bottom > all.bottom + 1));
}).map(area => area.getAttribute("aria-label"))
"""


@pytest.mark.parametrize("width", grid([320, 640, 1024, 1920], [320]))
def test_no_text_is_cut_off_at_any_width(reports: dict[str, Path], show: Any, width: int) -> None:
    shown = show(reports["classes"], width)
    shown.page.set_viewport_size({"width": width + 37, "height": 800})
    shown.page.wait_for_timeout(200)
    assert shown.page.evaluate(CLIPPED) == []
    assert shown.complaints == []


def test_a_loss_of_many_terms_fits_its_tile(reports: dict[str, Path], show: Any) -> None:
    page = show(reports["long names"], 320).page
    for width in (320, 400, 800, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        wait_until(page, f"!({OVERFULL} || {TOO_WIDE})")  # figures follow the page's width later


def test_the_scale_of_the_loss_can_be_changed(reports: dict[str, Path], show: Any) -> None:
    shown = show(reports["spikes"])
    page = shown.page
    figure = page.locator("figure", has=page.locator("[aria-label^='Curve of loss']"))
    button = figure.locator(".scale")
    axes = "(a => a.layout.yaxis.type)"
    axes += "(document.querySelector('[aria-label^=\"Curve of loss\"]'))"
    assert page.evaluate(axes) == "log"
    button.click()
    assert page.evaluate(axes) == "linear"
    assert button.get_attribute("aria-pressed") == "false"
    assert shown.complaints == []


TRACES = """
(a => a.data.map(each => each.y))(document.querySelector("#traces .plot-area"))
"""


def test_traces_of_a_chosen_neuron_add_up_to_the_loss(reports: dict[str, Path], show: Any) -> None:
    loss = SpikeTimeLoss(SpikeTime(type="spike_time", time_constant_ms=2.0), step_ms=1.0)
    shown = show(reports["spikes"])
    squares = 0.0
    for neuron in range(OUTPUTS):
        shown.page.locator("#trace-neuron").fill(str(neuron))
        target, output, difference = map(np.array, shown.page.evaluate(TRACES))
        assert difference == pytest.approx(output - target)
        squares += float((difference**2).sum())
    dense = {name: np.zeros((STEPS, 1, OUTPUTS), np.float32) for name in ("output", "target")}
    for name, spikes in dense.items():
        step, neuron = activity()[f"{name}_0"].T
        spikes[step, 0, neuron] = 1
    expected = loss(*(torch.from_numpy(spikes) for spikes in dense.values()))
    assert squares == pytest.approx(expected.item(), rel=1e-5)
    before = shown.page.evaluate(TRACES)
    shown.page.locator("#trace-sample").fill("2")
    assert shown.page.evaluate(TRACES) != before
    shown.page.locator("#trace-neuron").fill("6")
    assert "0 to 5" in shown.page.locator("#trace-note").inner_text()
    assert shown.complaints == []


def test_a_command_is_copied(reports: dict[str, Path], show: Any) -> None:
    shown = show(reports["spikes"], permissions=["clipboard-read", "clipboard-write"])
    commands = shown.page.locator("pre.command")
    buttons = shown.page.locator("button.copy")
    assert buttons.count() == commands.count() > 3
    buttons.first.click()
    wait_until(shown.page, "document.querySelector('button.copy').textContent === 'Copied'")
    copied = shown.page.evaluate("navigator.clipboard.readText()")
    assert copied == commands.first.inner_text()
    assert copied.startswith("netdesc ")
    assert shown.complaints == []


FADED = """
[...document.querySelectorAll(".canvas img")].filter(image => image.clientWidth
  < image.naturalWidth).map(image => image.alt)
"""


@pytest.mark.parametrize("width", grid([375, 700, 1080, 1280, 1920], [1280]))
def test_pictures_of_spikes_are_never_shrunk(long_report: Path, show: Any, width: int) -> None:
    shown = show(long_report, width)
    assert shown.page.evaluate(FADED) == []
    assert not shown.page.evaluate(TOO_WIDE)
    shown.page.set_viewport_size({"width": 390, "height": 800})
    shown.page.wait_for_timeout(200)
    assert shown.page.evaluate(FADED) == []
    assert shown.complaints == []


@slow
def test_a_click_enlarges_a_picture(long_report: Path, show: Any) -> None:
    shown = show(long_report)
    page, dialog = shown.page, shown.page.locator("#large")
    assert not dialog.is_visible()
    page.locator(".enlarge").first.click()
    assert dialog.is_visible()
    seen = "(i => [i.naturalWidth, i.clientWidth >= i.naturalWidth])(document.querySelector"
    wait_until(page, "document.querySelector('#large img').naturalWidth > 0")
    assert page.evaluate(f"{seen}('#large img'))") == [1500, True]
    page.locator("#large-close").click()
    assert not dialog.is_visible()
    assert shown.complaints == []
    assert [url for url in shown.requests if not url.startswith("data:")] == [long_report.as_uri()]


def test_paper_is_white_and_nothing_sticks_out(reports: dict[str, Path], show: Any) -> None:
    shown = show(reports["classes"], 720, "dark")
    assert len(shown.page.pdf(format="A4")) > 10_000
    shown.page.emulate_media(media="print", color_scheme="dark")
    wait_until(shown.page, "document.documentElement.hasAttribute('data-print')")
    assert not shown.page.evaluate(TOO_WIDE)
    assert all(shown.page.evaluate(DRAWN))
    assert shown.page.evaluate(f"{NEURON}.scrollHeight <= {NEURON}.clientHeight")
    heights = "[...document.querySelectorAll('.axes span:nth-child(odd)')].map(e => e.offsetHeight)"
    assert max(shown.page.evaluate(heights)) < 30, "the number of a step is on two lines"
    ink = shown.page.evaluate("getComputedStyle(document.body).color")
    assert max(int(part) for part in ink[4:-1].split(",")) < 80
    shown.page.emulate_media(media="screen", color_scheme="dark")
    wait_until(shown.page, "!document.documentElement.hasAttribute('data-print')")
    assert shown.complaints == []


def test_a_reader_without_eyes_finds_everything(reports: dict[str, Path], show: Any) -> None:
    page = show(reports["classes"]).page
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map(e => Number(e.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    nameless = (
        "img:not([alt]), table:not(:has(caption)), section:not([aria-labelledby]), "
        ".plot-area:not([aria-label]), th:not([scope])"
    )
    assert page.locator(nameless).count() == 0
    targets = "[...document.querySelectorAll('nav a')].every(a => document.querySelector(a.hash))"
    assert page.evaluate(targets)


CONTRAST = """
() => {
  const light = rgb => rgb.map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92
    : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a = 1] = parts(getComputedStyle(e).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("p, dt, dd, li, th, td:not(.cell), h1, h2, h3, h4, a, "
    + "button, figcaption, caption span, code, .pill")].map(element => {
    const [one, two] = [light(parts(getComputedStyle(element).color).slice(0, 3)),
                        light(ground(element))].sort((a, b) => b - a);
    return [(one + 0.05) / (two + 0.05), element.textContent.slice(0, 40)];
  }).filter(([ratio]) => ratio < 4.5);
}
"""


@pytest.mark.parametrize("name", grid(["classes", "interrupted", "empty"], ["classes"]))
def test_text_stands_out(reports: dict[str, Path], show: Any, name: str) -> None:
    page = show(reports[name]).page
    assert page.evaluate(CONTRAST) == []
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(CONTRAST) == []
