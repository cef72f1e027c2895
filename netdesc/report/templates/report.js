"use strict";
// Draws the figures with plotly, copies commands, and runs the epoch slider.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const printed = matchMedia("print");
  const narrow = matchMedia("(max-width: 1080px)");
  const touch = matchMedia("(pointer: coarse)").matches;
  // Width of a printed figure in pixels, by its container. It fits the columns in report.css.
  const PRINT_WIDTHS = [[".side-by-side", 205], [".grid", 325], ["*", 670]];

  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // Replaces var(--name) by the current colour of the style sheet.
  function resolveColours(value) {
    if (typeof value === "string") {
      return value.startsWith("var(") ? colour(value.slice(4, -1)) : value;
    }
    if (Array.isArray(value)) return value.map(resolveColours);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, resolveColours(each)]));
  }

  function axis(spec) {
    return {
      gridcolor: colour("--line"), linecolor: colour("--line"), zerolinecolor: colour("--line"),
      tickfont: { size: 12 }, separatethousands: true, ...spec,
      title: { font: { size: 13 }, standoff: 8, ...spec.title },
    };
  }

  function layout(spec, width) {
    const soft = colour("--soft");
    return {
      ...spec,
      // Fixed margins: plotly's automatic margins may not converge in a narrow figure. The buttons
      // need 34 pixels above the curves.
      xaxis: axis({ tickangle: 0, ...spec.xaxis }),
      yaxis: axis(spec.yaxis),
      ...(spec.yaxis2 && { yaxis2: axis(spec.yaxis2) }),
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: soft },
      margin: { l: 72, r: 12, t: 36, b: 48 },
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
    Plotly.react(area, resolveColours(spec.data), layout(spec.layout, width), config);
    spaceTicks(area);
  }

  // On an axis of one to three decades, labels 1, 2 and 5 only; plotly would label 1 to 9.
  function spaceTicks(area) {
    const axis = area.layout.yaxis;
    if (axis.type !== "log" || !axis.range) return;
    const decades = axis.range[1] - axis.range[0];
    const dtick = decades > 0.8 && decades < 3 ? "D2" : null;
    if ((axis.dtick ?? null) !== dtick) {
      Plotly.relayout(area, { "yaxis.dtick": dtick, "yaxis.tickmode": dtick ? "linear" : "auto" });
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

  // The van Rossum filter of the loss: decay^n, convolved order - 1 times with itself.
  function impulseResponse({ decay, order, length }) {
    const filter = [1];
    for (let n = 1; n < length; n += 1) filter.push(filter[n - 1] * decay * (n + order - 1) / n);
    return filter;
  }

  function filtered(train, filter, steps) {
    const trace = new Array(steps).fill(0);
    for (const spike of train) {
      const end = Math.min(steps - spike, filter.length);
      for (let n = 0; n < end; n += 1) trace[spike + n] += filter[n];
    }
    return trace;
  }

  const traces = document.getElementById("traces");
  if (traces) {
    const data = JSON.parse(document.getElementById("trace-data").textContent);
    const figure = figures.find(({ area }) => traces.contains(area));
    const neuron = document.getElementById("trace-neuron");
    const sample = document.getElementById("trace-sample");
    const note = document.getElementById("trace-note");
    const filter = impulseResponse(data);
    const times = Array.from({ length: data.steps }, (_, step) => step * data.stepMs);
    const showTraces = () => {
      if (![neuron, sample].every((field) => !field || (field.value && field.checkValidity()))) {
        note.textContent = `neurons are 0 to ${neuron.max}`
          + (sample ? `, samples 1 to ${sample.max}` : "");
        return;
      }
      const trains = data.trains[sample ? Number(sample.value) - 1 : 0];
      const found = trains[Number(neuron.value)] || [[], []];
      note.textContent = "";
      const [target, output] = found.map((each) => filtered(each, filter, data.steps));
      const difference = output.map((value, step) => value - target[step]);
      [target, output, difference].forEach((y, curve) => {
        Object.assign(figure.spec.data[curve], { x: times, y });
      });
      draw(figure);
    };
    for (const field of [neuron, sample]) field?.addEventListener("input", showTraces);
    showTraces();
  }

  // Without a secure context, for example a page from http, there is no clipboard.
  async function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    if (!isCopied) throw new Error("the browser does not copy");
  }

  for (const code of document.querySelectorAll("pre.command")) {
    const place = document.createElement("div");
    const button = document.createElement("button");
    place.className = "copied";
    button.className = "copy";
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy this command");
    button.addEventListener("click", async () => {
      try {
        await copy(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Press Ctrl+C";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    code.replaceWith(place);
    place.append(code, button);
  }

  function printWidth({ area }) {
    return PRINT_WIDTHS.find(([place]) => area.closest(place))[1];
  }

  function drawAll() {
    const onPaper = root.hasAttribute("data-print");
    for (const figure of figures) draw(figure, onPaper ? printWidth(figure) : undefined);
  }

  // Draws the figures for white paper, also in dark mode, or for the screen again.
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
      image.addEventListener("load", () => {  // the picture fills the window, but is never shrunk
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

  const slider = document.getElementById("epoch-slider");
  if (!slider) return;
  document.getElementById("epoch-controls").hidden = false;
  const image = document.getElementById("epoch-image");
  const label = document.getElementById("epoch-label");
  const play = document.getElementById("epoch-play");
  const frames = JSON.parse(document.getElementById("epoch-frames").textContent);
  const narrowFrames = JSON.parse(document.getElementById("epoch-frames-narrow").textContent);
  const labels = JSON.parse(document.getElementById("epoch-labels").textContent);
  let timer = 0;

  function show(number) {
    slider.value = number;
    image.src = narrow.matches && narrowFrames[number] || frames[number];
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
      if (next < frames.length) show(next);
      if (next >= frames.length - 1) stop();
    }, 450);
  }

  // Plays the slider once when its picture comes into view, unless the user prefers reduced motion.
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
    start(Number(slider.value) === frames.length - 1 ? 0 : Number(slider.value) + 1);
  });
  function finish() {
    stop();
    show(frames.length - 1);
  }
  addEventListener("beforeprint", finish);
  printed.addEventListener("change", (event) => event.matches && finish());
  show(frames.length - 1);
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) watcher.observe(image);
})();
