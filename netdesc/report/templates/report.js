"use strict";
// Draws the figures of the page with plotly, and lets the reader go through the film.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const printed = matchMedia("print");
  const narrow = matchMedia("(max-width: 1080px)");
  const touch = matchMedia("(pointer: coarse)").matches;
  // Pixels on paper, by where a figure stands; the print style sheet has as many columns.
  const PRINT_WIDTHS = [[".side-by-side", 205], [".grid", 325], ["*", 670]];

  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // Replaces var(--name) by the colour that the style sheet gives it now.
  function resolved(value) {
    if (typeof value === "string") {
      return value.startsWith("var(") ? colour(value.slice(4, -1)) : value;
    }
    if (Array.isArray(value)) return value.map(resolved);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, resolved(each)]));
  }

  function axis(given) {
    return {
      gridcolor: colour("--line"), linecolor: colour("--line"), zerolinecolor: colour("--line"),
      tickfont: { size: 12 }, separatethousands: true, ...given,
      title: { font: { size: 13 }, standoff: 8, ...given.title },
    };
  }

  function layout(given, width) {
    const soft = colour("--soft");
    return {
      ...given,
      // Fixed margins: plotly's own search for them may not come to an end in a narrow figure.
      xaxis: axis({ tickangle: 0, ...given.xaxis }),
      yaxis: axis(given.yaxis),
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: soft },
      margin: { l: 72, r: 12, t: given.showlegend ? 30 : 8, b: 48 },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: colour("--ink") } },
      hoverlabel: {
        bgcolor: colour("--paper"), bordercolor: colour("--line"), font: { color: colour("--ink") },
      },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: soft, activecolor: colour("--accent") },
      dragmode: touch ? false : "zoom",
      width,
    };
  }

  const config = {
    displaylogo: false, displayModeBar: touch ? true : "hover", responsive: true, showTips: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
    plotlyServerURL: "", showSendToCloud: false,
  };
  if (touch) config.modeBarButtonsToRemove = ["select2d", "lasso2d", "autoScale2d", "toImage"];

  const figures = [...document.querySelectorAll(".plot")].map((figure) => ({
    area: figure.querySelector(".plot-area"),
    spec: JSON.parse(figure.querySelector(".plot-spec").textContent),
    button: figure.querySelector(".scale"),
  }));

  function draw({ area, spec }, width) {
    Plotly.react(area, resolved(spec.data), layout(spec.layout, width), config);
    spaceTicks(area);
  }

  // One to three decades have room for 1, 2 and 5 in each; plotly would write all from 1 to 9.
  function spaceTicks(area) {
    const axis = area.layout.yaxis;
    if (axis.type !== "log" || !axis.range) return;
    const decades = axis.range[1] - axis.range[0];
    const wanted = decades > 0.8 && decades < 3 ? "D2" : null;
    if ((axis.dtick ?? null) !== wanted) {
      Plotly.relayout(area, { "yaxis.dtick": wanted, "yaxis.tickmode": wanted ? "linear" : "auto" });
    }
  }

  for (const figure of figures) {
    draw(figure);
    figure.area.on("plotly_relayout", () => spaceTicks(figure.area));
    figure.button?.addEventListener("click", () => {
      const yaxis = figure.spec.layout.yaxis;
      yaxis.type = yaxis.type === "log" ? "linear" : "log";
      yaxis.rangemode = "tozero";
      figure.button.setAttribute("aria-pressed", String(yaxis.type === "log"));
      draw(figure);
    });
  }

  function printWidth({ area }) {
    return PRINT_WIDTHS.find(([place]) => area.closest(place))[1];
  }

  function drawAll() {
    const onPaper = root.hasAttribute("data-print");
    for (const figure of figures) draw(figure, onPaper ? printWidth(figure) : undefined);
  }

  // Paper is white, whatever the screen is.
  function print(on) {
    if (root.hasAttribute("data-print") === on) return;
    root.toggleAttribute("data-print", on);
    drawAll();
  }
  dark.addEventListener("change", drawAll);
  printed.addEventListener("change", (event) => print(event.matches));
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));

  const large = document.getElementById("large");
  for (const button of document.querySelectorAll(".enlarge")) {
    button.addEventListener("click", () => {
      const image = new Image();
      image.alt = button.querySelector("img").alt;
      image.addEventListener("load", () => {  // as large as the window, and never smaller than it is
        image.style.minWidth = image.naturalWidth + "px";
        image.style.minHeight = image.naturalHeight + "px";
      });
      image.src = button.dataset.large;
      large.querySelector(".canvas").replaceChildren(image);
      document.getElementById("large-title").textContent = image.alt;
      large.showModal();
    });
  }
  document.getElementById("large-close").addEventListener("click", () => large.close());
  large.addEventListener("click", (event) => event.target === large && large.close());

  const slider = document.getElementById("film-slider");
  if (!slider) return;
  document.getElementById("film-controls").hidden = false;
  const image = document.getElementById("film");
  const label = document.getElementById("film-label");
  const play = document.getElementById("film-play");
  const shots = JSON.parse(document.getElementById("film-shots").textContent);
  const narrowShots = JSON.parse(document.getElementById("film-narrow").textContent);
  const labels = JSON.parse(document.getElementById("film-labels").textContent);
  let timer = 0;

  function show(number) {
    slider.value = number;
    image.src = (narrow.matches ? narrowShots : shots)[number];
    image.alt = "Output of the first sample " + labels[number];
    label.textContent = labels[number];
    slider.setAttribute("aria-valuetext", labels[number]);
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
  }

  function start(next) {
    show(next);
    play.textContent = "Pause";
    timer = setInterval(() => {
      next += 1;
      if (next < shots.length) show(next);
      if (next >= shots.length - 1) stop();
    }, 450);
  }

  // Once by itself, when the picture comes into view; not for readers who do not want motion.
  const watcher = new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting || root.hasAttribute("data-print")) return;
    watcher.disconnect();
    start(0);
  }, { threshold: 0.5 });

  slider.addEventListener("input", () => {
    watcher.disconnect();
    stop();
    show(Number(slider.value));
  });
  narrow.addEventListener("change", () => show(Number(slider.value)));
  play.addEventListener("click", () => {
    watcher.disconnect();
    if (timer) return stop();
    start(Number(slider.value) === shots.length - 1 ? 0 : Number(slider.value) + 1);
  });
  function finish() {
    stop();
    show(shots.length - 1);
  }
  addEventListener("beforeprint", finish);
  printed.addEventListener("change", (event) => event.matches && finish());
  show(shots.length - 1);
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) watcher.observe(image);
})();
