// See delete_dialog.py.  A <dialog> of the platform: it keeps the focus inside, closes on Escape, gives the focus back.
export default {
  props: { name: String, texts: Object },
  emits: ["confirm"],
  template: `
    <dialog class="sheet" ref="dialog" aria-labelledby="delete-title" aria-describedby="delete-text" @click.self="close">
      <form method="dialog" @submit.prevent="confirm" autocomplete="off">
        <h2 id="delete-title">{{ words.title.replace("{name}", name) }}</h2>
        <p id="delete-text">{{ words.text }}</p>
        <label class="field"><span>{{ words.type }}<code>{{ name }}</code></span>
          <input class="input" v-model="typed" ref="input" autocapitalize="none" spellcheck="false"></label>
        <div class="error" v-if="refused" role="alert"><i class="icon" data-icon="alert"></i>{{ refused }}</div>
        <div class="actions">
          <button class="btn" type="button" @click="close">{{ words.cancel }}</button>
          <button class="btn danger solid" type="submit" :disabled="!matches" :aria-busy="busy ? 'true' : null"><i class="icon" data-icon="spinner" v-if="busy"></i>{{ busy ? words.deleting : words.submit }}</button>
        </div>
      </form>
    </dialog>`,
  data() { return { typed: "", busy: false, refused: "", words: this.texts }; },
  computed: { matches() { return this.typed.trim() === this.name; } },
  methods: {
    open(words) {
      if (this.$refs.dialog.open) return;
      Object.assign(this, { typed: "", busy: false, refused: "", words });
      this.$refs.dialog.showModal();
      this.$refs.input.focus();
    },
    close() { this.$refs.dialog.close(); },
    confirm() {
      if (!this.matches || this.busy) return;
      this.refused = Storefleet.offline();
      if (this.refused) return;
      this.busy = true;
      this.$emit("confirm");
    },
    refuse(sentence) {
      this.busy = false;
      this.refused = sentence;
    },
  },
};
