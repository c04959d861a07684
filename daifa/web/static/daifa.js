// The console's own script: everything here is optional, the pages work without it.
"use strict";

(() => {
  const cookie = (name) => document.cookie.split("; ").find((one) => one.startsWith(name + "="))?.slice(name.length + 1);

  // --- htmx: the CSRF token with every request that changes something; errors as a sentence -------------------
  document.addEventListener("htmx:config:request", (event) => {
    const request = event.detail.ctx.request;
    const token = document.querySelector("input[name=csrfmiddlewaretoken]")?.value || cookie("daifa_csrf");
    if (token && !/^(GET|HEAD)$/i.test(request.method)) request.headers["X-CSRFToken"] = token;
  });
  document.addEventListener("htmx:before:request", (event) => event.detail.ctx.target?.classList?.add("is-loading"));
  document.addEventListener("htmx:finally:request", (event) => event.detail.ctx.target?.classList?.remove("is-loading"));
  document.addEventListener("htmx:before:response", (event) => {
    // A failed answer never replaces a table or a panel; the page as a whole shows what happened.
    if (event.detail.ctx.response.status >= 400) {
      event.preventDefault();
      const source = event.detail.ctx;
      if (source.request.method === "GET" && source.push === "true") window.location.href = source.request.action;
    }
  });

  // --- theme ----------------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-switch]")) return;
    const root = document.documentElement;
    const next = root.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
    root.setAttribute("data-bs-theme", next);
    try { localStorage.setItem("daifa-theme", next); } catch { /* not kept, then */ }
    drawCharts(document, true);
  });

  // --- the groups of the side bar: what is unfolded stays so on the next page, which the server draws ----------
  document.addEventListener("click", (event) => {
    const fold = event.target.closest(".nav-group summary")?.parentElement;
    if (!fold) return;
    const said = cookie("daifa_groups");
    const kept = new Set((said ? said.slice(1) : "selling").split(".").filter(Boolean));
    if (fold.open) kept.delete(fold.dataset.group); else kept.add(fold.dataset.group);
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `daifa_groups=-${[...kept].join(".")}; path=/; max-age=31536000; samesite=lax${secure}`;
  });

  // --- keyboard: "/" goes to the search, Escape leaves it ------------------------------------------------------
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "Escape" && typing?.matches("input[type=search]")) typing.blur();
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const field = document.querySelector("[data-search]") || document.querySelector("[data-search-all]");
    if (!field) return;
    event.preventDefault();
    field.focus();
    field.select();
  });

  // --- rows lead to their page ---------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-href]");
    if (!row || event.target.closest("a, button, input, label, summary, .select-cell")) return;
    if (window.getSelection()?.toString()) return;
    if (event.ctrlKey || event.metaKey) window.open(row.dataset.href, "_blank", "noopener");
    else window.location.href = row.dataset.href;
  });

  // --- choosing rows -------------------------------------------------------------------------------------------
  let lastBox = null;
  const boxes = (list) => [...list.querySelectorAll("tbody input[name=ids]")];
  const showChosen = (list) => {
    const bar = list.querySelector("[data-bulk]");
    if (!bar) return;
    const all = boxes(list);
    const chosen = all.filter((box) => box.checked).length;
    bar.hidden = chosen === 0;
    bar.querySelector("[data-bulk-count]").textContent = String(chosen);
    const head = list.querySelector("[data-bulk-all]");
    head.checked = chosen > 0 && chosen === all.length;
    head.indeterminate = chosen > 0 && chosen < all.length;
    all.forEach((box) => box.closest("tr").classList.toggle("is-chosen", box.checked));
  };
  document.addEventListener("change", (event) => {
    const list = event.target.closest("[data-list]");
    if (!list) return;
    if (event.target.matches("[data-bulk-all]")) boxes(list).forEach((box) => { box.checked = event.target.checked; });
    if (event.target.matches("[data-bulk-all], input[name=ids]")) showChosen(list);
  });
  document.addEventListener("click", (event) => {
    const list = event.target.closest("[data-list]");
    if (!list) return;
    if (event.target.closest("[data-bulk-clear]")) {
      boxes(list).forEach((box) => { box.checked = false; });
      showChosen(list);
    } else if (event.target.matches("input[name=ids]")) {
      const all = boxes(list);
      if (event.shiftKey && lastBox && all.includes(lastBox)) {
        const [from, to] = [all.indexOf(lastBox), all.indexOf(event.target)].sort((a, b) => a - b);
        all.slice(from, to + 1).forEach((box) => { box.checked = event.target.checked; });
        showChosen(list);
      }
      lastBox = event.target;
    }
  });

  // --- questions before something is done ----------------------------------------------------------------------
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const source = [event.submitter, form].find((one) => one && (one.dataset.confirm || one.dataset.ask));
    if (source && !form.dataset.answered) {
      event.preventDefault();
      ask(source, form, event.submitter);
      return;
    }
    delete form.dataset.answered;
    if (form.method === "post") {
      // One click, one post: the button rests until the next page is there.
      const button = event.submitter;
      if (button) setTimeout(() => { button.disabled = true; }, 0);
      setTimeout(() => { if (button) button.disabled = false; }, 8000);
    }
  });

  const ask = (source, form, submitter) => {
    const dialog = document.getElementById("ask");
    const field = dialog.querySelector("textarea");
    const wants = source.dataset.ask;
    dialog.querySelector("#ask-question").textContent = source.dataset.confirm || wants;
    dialog.querySelector("#ask-text").hidden = !wants;
    dialog.querySelector("#ask-text label").textContent = source.dataset.confirm && wants ? wants : "";
    field.required = Boolean(wants);
    field.value = "";
    const yes = dialog.querySelector("#ask-yes");
    yes.className = "btn " + ("danger" in source.dataset ? "btn-danger" : "btn-primary");
    yes.textContent = submitter?.textContent.trim() || yes.textContent;
    dialog.returnValue = "";
    dialog.onclose = () => {
      if (dialog.returnValue !== "yes") return;
      if (wants) {
        let hidden = form.querySelector("input[name=reason]");
        if (!hidden) {
          hidden = Object.assign(document.createElement("input"), { type: "hidden", name: "reason" });
          form.append(hidden);
        }
        hidden.value = field.value.trim();
      }
      form.dataset.answered = "1";
      form.requestSubmit(submitter || undefined);
    };
    dialog.showModal();
    (wants ? field : yes).focus();
  };

  // --- tooltips ------------------------------------------------------------------------------------------------
  const explain = (root) => root.querySelectorAll("[data-bs-toggle=tooltip]").forEach((one) => {
    window.bootstrap?.Tooltip.getOrCreateInstance(one, { trigger: "hover focus click" });
  });

  // --- charts --------------------------------------------------------------------------------------------------
  const TONES = {
    blue: "#066fd1", azure: "#4299e1", green: "#2fb344", teal: "#0ca678", orange: "#f76707", red: "#d63939",
    yellow: "#f59f00", purple: "#ae3ec9", gray: "#8a97a8",
  };
  const TURN = ["blue", "teal", "orange", "purple", "azure", "yellow", "red", "gray"];
  let loading = null;
  const library = (address) => {
    if (window.echarts) return Promise.resolve(window.echarts);
    loading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = address;
      script.onload = () => resolve(window.echarts);
      script.onerror = reject;
      document.head.append(script);
    });
    return loading;
  };
  const writer = (unit, short) => {
    const language = document.documentElement.lang || "en";
    const options = unit === "percent" ? { style: "percent", maximumFractionDigits: 1 }
      : unit ? { style: "currency", currency: unit, ...(short ? { maximumFractionDigits: 0 } : {}) } : {};
    if (short && unit !== "percent") Object.assign(options, { notation: "compact", maximumFractionDigits: 1 });
    const numbers = new Intl.NumberFormat(language === "en" ? "en-GB" : language, options);
    return (value) => (value === null || value === undefined ? "–" : numbers.format(value));
  };
  const option = (data) => {
    const dark = document.documentElement.getAttribute("data-bs-theme") === "dark";
    const text = dark ? "#c8d3e1" : "#4a5668";
    const rule = dark ? "rgba(255,255,255,.09)" : "rgba(4,32,69,.09)";
    const font = getComputedStyle(document.body).fontFamily;
    const full = writer(data.unit, false);
    const short = writer(data.unit, true);
    const colour = (one, i) => TONES[one.tone] || TONES[TURN[i % TURN.length]];
    const base = {
      animationDuration: 250, textStyle: { fontFamily: font, color: text }, color: data.series.map(colour),
      legend: { top: 0, left: 0, textStyle: { color: text }, icon: "roundRect", itemWidth: 12, itemHeight: 8, type: "scroll" },
      // Drawn on the canvas: an HTML tooltip would bring inline styles, which the content policy is right to refuse.
      tooltip: { renderMode: "richText", confine: true, valueFormatter: full, backgroundColor: dark ? "#1f2a3a" : "#fff",
        borderColor: rule, textStyle: { color: dark ? "#fff" : "#182433", fontSize: 13 } },
      aria: { enabled: true },
    };
    if (data.pie) {
      const slices = data.labels.map((name, i) => ({ name, value: data.series[0].values[i] }));
      return { ...base, color: TURN.map((name) => TONES[name]), tooltip: { ...base.tooltip, trigger: "item" },
        series: [{ type: "pie", radius: ["45%", "70%"], center: ["50%", "56%"], data: slices, label: { color: text } }] };
    }
    // Things are counted whole: no line at half a store.
    const whole = !data.unit && data.series.every((one) => one.values.every((value) => Number.isInteger(Number(value))));
    return {
      ...base,
      tooltip: { ...base.tooltip, trigger: "axis", axisPointer: { type: "line", lineStyle: { color: rule } } },
      legend: { ...base.legend, show: data.series.length > 1 },
      grid: { top: data.series.length > 1 ? 38 : 14, left: 4, right: 12, bottom: 2, containLabel: true },
      xAxis: { type: "category", data: data.labels, axisTick: { show: false }, axisLine: { lineStyle: { color: rule } },
        axisLabel: { color: text, hideOverlap: true }, boundaryGap: data.series.some((one) => one.kind === "bar") },
      yAxis: { type: "value", minInterval: whole ? 1 : 0, axisLabel: { color: text, formatter: short }, splitLine: { lineStyle: { color: rule } } },
      series: data.series.map((one, i) => ({
        name: one.name, data: one.values, type: one.kind === "bar" ? "bar" : "line", stack: one.stack || undefined,
        smooth: false, symbol: "circle", symbolSize: 6, showSymbol: one.values.length < 32, barMaxWidth: 34,
        lineStyle: { width: 2 }, areaStyle: one.kind === "area" ? { opacity: 0.12 } : undefined,
        itemStyle: { color: colour(one, i), borderRadius: one.kind === "bar" && !one.stack ? [3, 3, 0, 0] : 0 },
      })),
    };
  };
  const drawCharts = (root, again = false) => {
    root.querySelectorAll("[data-chart]").forEach((place) => {
      if (place.dataset.drawn && !again) return;
      place.dataset.drawn = "1";
      library(place.dataset.chartScript).then((echarts) => {
        const data = JSON.parse(document.getElementById(place.dataset.chart).textContent);
        echarts.getInstanceByDom(place)?.dispose();
        echarts.init(place, null, { renderer: "canvas" }).setOption(option(data));
      });
    });
  };
  const resize = () => document.querySelectorAll("[data-drawn]").forEach((place) => {
    window.echarts?.getInstanceByDom(place)?.resize();
  });
  let pending = 0;
  window.addEventListener("resize", () => { clearTimeout(pending); pending = setTimeout(resize, 120); });
  window.addEventListener("beforeprint", resize);

  // --- allauth: show that the recovery codes were copied, if asked ---------------------------------------------
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.querySelector(button.dataset.copy);
    navigator.clipboard?.writeText(source.value ?? source.textContent).then(() => button.classList.add("btn-success"));
  });

  const wake = (root) => { explain(root); drawCharts(root); root.querySelectorAll("[data-list]").forEach(showChosen); };
  document.addEventListener("htmx:after:settle", (event) => {
    document.querySelectorAll(".tooltip").forEach((one) => one.remove());
    const target = event.detail.task?.target;
    wake(target instanceof Element && target.parentElement ? target.parentElement : document);
  });
  // A page taken from the browser's memory has its buttons back.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll("button:disabled").forEach((one) => {
      if (!one.closest(".why-not")) one.disabled = false;
    });
  });
  wake(document);
})();
