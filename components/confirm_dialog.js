// See confirm_dialog.py.
export default {
  props: { dialog: String, texts: Object },
  emits: ["confirm"],
  template: `
    <dialog class="sheet" ref="dialog" :aria-labelledby="dialog + '-title'" :aria-describedby="dialog + '-points'" @click.self="close">
      <form method="dialog" @submit.prevent="confirm">
        <h2 :id="dialog + '-title'">{{ words.title }}</h2>
        <ul class="points" :id="dialog + '-points'"><li v-for="point in words.points" :key="point">{{ point }}</li></ul>
        <div class="error" v-if="refused" role="alert"><i class="icon" data-icon="alert"></i>{{ refused }}</div>
        <div class="actions">
          <button class="btn" type="button" @click="close">{{ words.cancel }}</button>
          <button class="btn primary" type="submit" :aria-busy="busy ? 'true' : null"><i class="icon" data-icon="spinner" v-if="busy"></i>{{ busy ? words.asking : words.submit }}</button>
        </div>
      </form>
    </dialog>`,
  data() { return { words: this.texts, busy: false, refused: "" }; },
  methods: {
    open(words) {
      if (this.$refs.dialog.open) return;
      Object.assign(this, { words, busy: false, refused: "" });
      this.$refs.dialog.showModal();
    },
    close() { this.$refs.dialog.close(); },
    confirm() {
      if (this.busy) return;
      this.refused = Storefleet.offline();
      if (this.refused) return;
      this.busy = true;
      this.$emit("confirm");
    },
    accept() {
      this.close();
      Storefleet.toast(this.words.asked);
    },
    refuse(sentence) { Object.assign(this, { busy: false, refused: sentence }); },
  },
};
