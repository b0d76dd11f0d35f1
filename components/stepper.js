// See stepper.py.
export default {
  props: { steps: Array, texts: Object, label: String },
  template: `
    <ol class="steps card" :aria-label="label">
      <li v-for="step in steps" :key="step.key" :class="step.state" :aria-current="step.state === 'now' ? 'step' : null">
        <b><i class="icon" :data-icon="icon[step.state]" v-if="icon[step.state]"></i>{{ texts.steps[step.key] }}<span class="unseen">, {{ texts.step_state[step.state] }}</span></b>
        <span class="number">{{ time(step) }}</span>
      </li>
    </ol>`,
  data: () => ({ now: Storefleet.now(), icon: { done: "check", now: "spinner", failed: "cross" } }),
  mounted() { this.ticker = setInterval(() => (this.now = Storefleet.now()), 250); },
  unmounted() { clearInterval(this.ticker); },
  methods: {
    time(step) {
      if (step.state === "done") return Storefleet.duration(step.seconds);
      if (step.state === "now" && step.since) return Storefleet.duration(Math.floor((this.now - Date.parse(step.since)) / 1000));
      return "\u00a0";
    },
  },
};
