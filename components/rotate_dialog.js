// See rotate_dialog.py.
export default {
  props: { name: String, texts: Object },
  emits: ["confirm"],
  template: `
    <dialog class="sheet" ref="dialog" aria-labelledby="rotate-title" aria-describedby="rotate-text" @click.self="close">
      <form method="dialog" @submit.prevent="confirm">
        <h2 id="rotate-title">{{ say(texts.title, { name }) }}</h2>
        <p id="rotate-text">{{ texts.text }}</p>
        <fieldset class="kinds"><legend class="unseen">{{ texts.which }}</legend>
          <label class="check" v-for="(words, key) in texts.kinds" :key="key"><input type="checkbox" :value="key" v-model="chosen">
            <span>{{ words[0] }}<span class="quiet small">{{ words[1] }}</span></span></label>
        </fieldset>
        <div class="error" v-if="refused" role="alert"><i class="icon" data-icon="alert"></i>{{ refused }}</div>
        <div class="actions">
          <button class="btn" type="button" @click="close">{{ texts.cancel }}</button>
          <button class="btn primary" type="submit" :disabled="!chosen.length" :aria-busy="busy ? 'true' : null"><i class="icon" data-icon="spinner" v-if="busy"></i>{{ busy ? texts.asking : texts.submit }}</button>
        </div>
      </form>
    </dialog>`,
  data: () => ({ chosen: ["admin"], busy: false, refused: "" }),
  methods: {
    say: (text, values) => Storefleet.say(text, values),
    open() {
      if (this.$refs.dialog.open) return;
      Object.assign(this, { chosen: ["admin"], busy: false, refused: "" });
      this.$refs.dialog.showModal();
    },
    close() { this.$refs.dialog.close(); },
    confirm() {
      if (!this.chosen.length || this.busy) return;
      this.refused = Storefleet.offline();
      if (this.refused) return;
      this.busy = true;
      this.$emit("confirm", [...this.chosen]);
    },
    accept() {
      this.close();
      Storefleet.toast(this.texts.asked);
    },
    refuse(sentence) { Object.assign(this, { busy: false, refused: sentence }); },
  },
};
