// What every page shares in the browser: the chosen theme, the server's clock, words and numbers in the person's own
// language, short notices.  Loaded before anything is drawn, so that a page never flashes in the wrong theme.
(() => {
  const THEME = "storefleet.theme";
  const NOTIFY = "storefleet.notify";
  const root = document.documentElement;

  function stored() {
    try { return localStorage.getItem(THEME) || "system"; } catch { return "system"; }
  }
  function show(theme) {
    if (theme === "system") root.removeAttribute("data-theme");
    else root.dataset.theme = theme;
  }
  show(stored());
  addEventListener("storage", (event) => event.key === THEME && show(stored()));
  document.addEventListener("change", (event) => {
    if (event.target.name !== "theme") return;
    try { localStorage.setItem(THEME, event.target.value); } catch { /* it holds for this page, then */ }
    show(event.target.value);
  });
  document.addEventListener("DOMContentLoaded", () => {
    const chosen = document.querySelector(`input[name=theme][value="${stored()}"]`);
    if (chosen) chosen.checked = true;
    // NiceGUI shows and hides this element when the connection is lost and back; what it says is ours.
    const popup = document.getElementById("popup"), notices = document.getElementById("notices");
    if (!popup || !notices) return;
    popup.setAttribute("role", "status");
    popup.popover = "manual"; // above a dialog that is open
    new MutationObserver(() => popup.togglePopover(popup.ariaHidden === "false")).observe(popup, { attributeFilter: ["aria-hidden"] });
    popup.replaceChildren(...["lost", "again"].map((key) => Object.assign(document.createElement("span"), { textContent: notices.dataset[key] })));
  });

  // Drafts are nobody else's business.
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-signs-out]")) try { sessionStorage.clear(); } catch { /* there are none */ }
  });

  // The menu of the account opens where its button is; the platform closes it (light dismiss, Escape).
  document.addEventListener("submit", (event) => {
    const button = event.target.querySelector("[data-once]");
    if (!button) return;
    if (button.ariaBusy === "true") event.preventDefault();
    button.ariaBusy = "true";
  });
  addEventListener("pageshow", () => document.querySelectorAll("[data-once]").forEach((button) => (button.ariaBusy = null)));

  const locale = navigator.languages?.length ? [...navigator.languages] : undefined;
  const served = Number(document.currentScript.dataset.now);
  const ahead = served ? Date.now() - served : 0; // how far this computer's clock is before the server's, in ms

  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const split = (seconds) => {
    const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) || UNITS[3];
    return [unit, Math.floor(Math.abs(seconds) / size)];
  };

  // Making a format is slow, using it is not.
  const formats = new Map();
  const unitFormat = (unit, unitDisplay, digits = 0) => {
    const key = `${unit} ${unitDisplay} ${digits}`;
    if (!formats.has(key))
      formats.set(key, new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay, minimumFractionDigits: digits, maximumFractionDigits: digits }));
    return formats.get(key);
  };

  // Pieces of a page that tell one another something, and what the server tells them.
  const listeners = new Map();

  window.Storefleet = {
    on(topic, listener) {
      if (!listeners.has(topic)) listeners.set(topic, new Set());
      listeners.get(topic).add(listener);
      return () => listeners.get(topic).delete(listener);
    },
    tell(topic, news) { listeners.get(topic)?.forEach((listener) => listener(news)); },
    // Why nothing can be done now, as a sentence, or "": without a server what is clicked would happen who knows when.
    offline: () => (window.socket?.connected ? "" : document.getElementById("notices").dataset.offline),
    // What somebody began to fill in: it outlives a page that has to be loaded anew, in this tab, for this person.
    draft(name) {
      const key = `storefleet.draft:${document.querySelector("[data-account]")?.dataset.account}:${name}`;
      return {
        read() { try { return JSON.parse(sessionStorage.getItem(key)); } catch { return null; } },
        keep(value) { try { sessionStorage.setItem(key, JSON.stringify(value)); } catch { /* then it does not outlive */ } },
        drop() { try { sessionStorage.removeItem(key); } catch { /* there is none */ } },
      };
    },
    STATE_ICONS: { REQUESTED: "queue", PROVISIONING: "spinner", READY: "check", FAILED: "alert", DELETING: "minus", DEGRADED: "alert" },
    // The server's time, in ms: ages and durations do not depend on this computer's clock.
    now: () => Date.now() - ahead,
    // "3 days", "12 sec"
    age(seconds) {
      const [unit, count] = split(Math.max(0, seconds));
      return unitFormat(unit, "short").format(count);
    },
    // "12 sec" until a time; never less than one second, which an estimate does not know
    left: (time, now = Storefleet.now()) => Storefleet.age(Math.max(1, Math.round((Date.parse(time) - now) / 1000))),
    // "about 12 sec left" of what is expected at a time; once that is over, that it takes longer
    expected: (time, texts, now = Storefleet.now()) =>
      Date.parse(time) > now ? Storefleet.say(texts.eta, { time: Storefleet.left(time, now) }) : texts.late,
    // "3 minutes ago"
    ago(time) {
      const seconds = (Storefleet.now() - Date.parse(time)) / 1000;
      const [unit, count] = split(seconds);
      return new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(seconds < 0 ? count : -count, unit);
    },
    // "5 s", "2 min 4 s"
    duration(seconds) {
      const number = (value, unit, digits = 0) =>
        unitFormat(unit, "narrow", digits).format(value).replace(/([\d])([^\d.,\s])/, "$1\u202f$2");
      if (seconds < 1) return "<" + number(1, "second");
      if (seconds < 60) return number(seconds, "second", seconds < 10 && seconds % 1 ? 1 : 0);
      const whole = Math.round(seconds);
      return `${number(Math.floor(whole / 60), "minute")} ${number(whole % 60, "second")}`;
    },
    // "1.5", "512"
    amount: (number) => new Intl.NumberFormat(locale, { maximumFractionDigits: number < 10 ? 1 : 0 }).format(number),
    // "0.5 %"
    percent: (share) => new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: share < 0.1 ? 1 : 0 }).format(share),
    // "1.5 GiB"
    size(bytes) {
      const power = Math.min(4, Math.max(2, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
      return `${Storefleet.amount(bytes / 1024 ** power)}\u00a0${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
    },
    // "0.012", "2": cores of CPU
    cores: (number) => new Intl.NumberFormat(locale, { maximumSignificantDigits: 2 }).format(number),
    // What stands beside the pointer on a chart: the time, and each line's value as `write` has it.
    chartTip(points, write) {
      const tip = document.createElement("div");
      if (points.length) tip.append(Object.assign(document.createElement("b"), { textContent: Storefleet.clock(points[0].value[0]) }));
      for (const point of points) {
        if (point.value[1] == null) continue;
        const row = document.createElement("p");
        const name = Object.assign(document.createElement("span"), { textContent: point.seriesName });
        row.append(name, Object.assign(document.createElement("span"), { className: "number", textContent: write(point.value[1]) }));
        tip.append(row);
      }
      return tip;
    },
    // To the clipboard; `said` is the notice afterwards, where whoever asks does not show it.
    async copy(text, said = "") {
      try {
        await navigator.clipboard.writeText(text);
      } catch { // not over plain HTTP: the old way, which works everywhere
        const area = Object.assign(document.createElement("textarea"), { value: text });
        (document.activeElement?.closest("dialog") || document.body).append(area);
        const before = document.activeElement;
        area.select();
        document.execCommand("copy");
        area.remove();
        before?.focus();
      }
      if (said) Storefleet.toast(said);
    },
    // "12:01:00": as logs have it, in the person's time zone
    clock: (time) => new Date(time).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }),
    // "24 Nov, 12:01:00"
    dated: (time) => new Date(time).toLocaleString(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }),
    // "Tuesday 24 November 2026 at 12:01:00 CET"
    moment: (time) => new Date(time).toLocaleString(locale, { dateStyle: "full", timeStyle: "long" }),
    // A time of a chart whose steps are so many seconds: "14:05", "24 Nov, 14:00", "24 Nov"
    step(time, seconds) {
      const day = { day: "numeric", month: "short" }, hour = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
      const date = new Date(time);
      if (seconds < 21600) return date.toLocaleTimeString(locale, hour);
      return date.toLocaleString(locale, seconds < 86400 ? { ...day, ...hour } : day);
    },
    // A number of a chart: "12", "34 s", "–" where nothing was measured
    measure: (value, unit) => (value === null || value === undefined ? "–" : unit === "seconds" && value ? Storefleet.duration(value) : Storefleet.amount(value)),
    // "{n} stores" with n = 3, or ["1 store", "{n} stores"] by the language's rule
    say(text, values = {}) {
      const form = Array.isArray(text) ? text[new Intl.PluralRules(locale).select(values.n) === "one" ? 0 : 1] : text;
      const shown = (value) => (typeof value === "number" ? Storefleet.amount(value) : String(value));
      return form.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? shown(values[key]) : whole));
    },
    // "Firefox on Linux", as far as a browser tells by its User-Agent; what it is called is no promise
    browserName(agent, texts) {
      const first = (names) => names.find(([, pattern]) => pattern.test(agent))?.[0];
      const browser = first([["Edge", /Edg/], ["Opera", /OPR/], ["Firefox", /Firefox|FxiOS/], ["Chrome", /Chrom|CriOS/], ["Safari", /Safari/]]);
      const system = first([["iPhone", /iPhone/], ["iPad", /iPad/], ["Android", /Android/], ["Windows", /Windows/], ["macOS", /Mac OS/], ["Linux", /Linux/]]);
      if (browser && system) return Storefleet.say(texts.browser_on, { browser, system });
      return browser || agent.slice(0, 60) || texts.unknown_browser;
    },
    toast(text, wrong = false) {
      const region = document.getElementById("notices");
      const note = Object.assign(document.createElement("div"), { className: wrong ? "toast wrong" : "toast", textContent: text, popover: "manual" });
      region.replaceChildren(note);
      note.showPopover(); // above a dialog that is open
      setTimeout(() => note.remove(), wrong ? 9000 : 2600);
    },
    // Does this browser want to be told when a store is ready or has failed, and may it be?
    notifications() {
      try { return localStorage.getItem(NOTIFY) === "yes" && Notification.permission === "granted"; } catch { return false; }
    },
    // Begin or end that; false where the browser does not let us.
    async setNotifications(wanted) {
      try {
        if (wanted && (await Notification.requestPermission()) !== "granted") return false;
        localStorage.setItem(NOTIFY, wanted ? "yes" : "no");
      } catch { return false; }
      dispatchEvent(new Event("storefleet-notifications"));
      return true;
    },
    // How it stands with the cluster; the shell was served with the same markup.
    cluster({ state, line, notice }) {
      const status = document.querySelector(".cluster");
      if (status) {
        status.dataset.cluster = state;
        status.querySelector("span").textContent = line;
      }
      const banner = document.getElementById("cluster-notice");
      if (banner) {
        banner.hidden = !notice;
        banner.querySelector("span").textContent = notice || "";
      }
    },
  };
})();
