// See stepper.py.
export default {
  props: { steps: Array, texts: Object, label: String },
  template: `
    <ol class="steps card" :aria-label="label">
      <li v-for="step in steps" :key="step.key" :class="step.state" :aria-current="step.state === 'now' ? 'step' : null">
        <b><i class="icon" :data-icon="icon[step.state]" v-if="icon[step.state]"></i>{{ texts.steps[step.key] }}<span class="unseen">, {{ texts.step_state[step.state] }}</span></b>
        <span class="number">{{ time(step) }} <span class="usual" v-if="usual(step)" :class="{ late: late(step) }">{{ usual(step) }}</span></span>
      </li>
    </ol>`,
  data: () => ({ now: Storefleet.now(), icon: { done: "check", now: "spinner", failed: "cross" } }),
  mounted() { this.ticker = setInterval(() => (this.now = Storefleet.now()), 250); },
  unmounted() { clearInterval(this.ticker); },
  methods: {
    elapsed(step) { return Math.max(0, Math.floor((this.now - Date.parse(step.since)) / 1000)); },
    time(step) {
      if (step.state === "done") return Storefleet.duration(step.seconds);
      if (step.state === "now" && step.since) return Storefleet.duration(this.elapsed(step));
      return "\u00a0";
    },
    late(step) { return step.state === "now" && step.since && this.elapsed(step) > 2 * step.usual + 5; },
    usual(step) {
      if (step.usual === null || step.usual < 1 || step.state === "failed") return "";
      const text = this.late(step) ? this.texts.longer : this.texts.usually;
      return Storefleet.say(text, { time: Storefleet.duration(Math.round(step.usual)) });
    },
  },
};
