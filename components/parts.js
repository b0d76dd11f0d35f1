// See parts.py.
export default {
  props: { parts: Array, texts: Object },
  emits: ["log"],
  template: `
    <ul class="parts card">
      <li v-for="part in parts" :key="part.key" :data-part="part.key" :data-health="part.health">
        <div class="head">
          <b>{{ texts.names[part.key] }}</b>
          <span class="state" :data-state="TONES[part.health]"><i class="icon" :data-icon="ICONS[part.health]"></i>{{ texts.health[part.health] }}</span>
        </div>
        <p class="why" v-if="part.note"><bdi>{{ part.note }}</bdi></p>
        <p class="quiet small number" v-if="line(part)"><bdi>{{ line(part) }}</bdi></p>
        <details v-if="part.pods.length">
          <summary data-icon="chevron">{{ say(texts.pods, { n: part.pods.length }) }}</summary>
          <div class="pod" v-for="pod in part.pods" :key="pod.name">
            <code><bdi>{{ pod.name }}</bdi></code><span class="quiet small" v-if="pod.leaving"> · {{ texts.leaving }}</span>
            <div class="container" v-for="container in pod.containers" :key="container.name">
              <p class="number"><i class="icon" :data-icon="container.ready ? 'check' : container.state === 'running' ? 'spinner' : 'alert'"></i><bdi>{{ container.name }}</bdi>: <bdi>{{ state(container) }}</bdi></p>
              <p class="quiet small"><code><bdi>{{ container.image }}</bdi></code></p>
              <p class="doings">
                <button class="btn compact" type="button" @click="ask(part, pod, container, false)">{{ texts.log }}<span class="unseen"> {{ container.name }}, {{ pod.name }}</span></button>
                <button class="btn compact" type="button" v-if="container.had_run" @click="ask(part, pod, container, true)">{{ texts.log_before }}<span class="unseen"> {{ container.name }}, {{ pod.name }}</span></button>
              </p>
            </div>
          </div>
        </details>
      </li>
    </ul>`,
  data: () => ({
    tick: 0,
    ICONS: { ok: "check", starting: "spinner", degraded: "alert", stopped: "minus", absent: "minus", unused: "minus", unknown: "queue" },
    TONES: { ok: "READY", starting: "PROVISIONING", degraded: "DEGRADED" },
  }),
  mounted() { this.ticker = setInterval(() => this.tick++, 15000); },
  unmounted() { clearInterval(this.ticker); },
  methods: {
    say: (text, values) => Storefleet.say(text, values),
    age(since) { return this.tick >= 0 && Storefleet.say(this.texts.since, { time: Storefleet.age((Storefleet.now() - Date.parse(since)) / 1000) }); },
    line(part) {
      const tag = part.image.split("/").pop();
      const restarts = part.restarts ? Storefleet.say(this.texts.restarts, { n: part.restarts }) : "";
      return [part.detail, tag, part.since && part.health === "ok" ? this.age(part.since) : "", restarts].filter(Boolean).join(" · ");
    },
    state(container) {
      const words = container.state === "running" && !container.ready ? this.texts.not_ready : this.texts.running[container.state] || container.state;
      const restarts = container.restarts ? Storefleet.say(this.texts.restarts, { n: container.restarts }) : "";
      return [words, container.since ? this.age(container.since) : "", restarts].filter(Boolean).join(" · ");
    },
    ask(part, pod, container, previous) { this.$emit("log", { part: part.key, pod: pod.name, container: container.name, previous }); },
  },
};
