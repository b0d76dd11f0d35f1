// See bulk_dialog.py.  A <dialog> of the platform: it keeps the focus inside, closes on Escape, gives the focus back.
export default {
  props: { undo: String, texts: Object },
  emits: ["act"],
  template: `
    <dialog class="sheet" ref="dialog" aria-labelledby="bulk-title" @click.self="close">
      <form method="dialog" @submit.prevent="submit" autocomplete="off">
        <template v-if="outcomes">
          <h2 id="bulk-title">{{ done.length ? say(texts.outcome_title[action], { n: done.length }) : texts.nothing_done }}</h2>
          <ul class="outcomes" tabindex="0" :aria-label="texts.refused">
            <li v-for="each in refused" :key="each.name"><b>{{ each.name }}</b><span>{{ each.refused }}</span></li>
          </ul>
          <div class="actions"><button class="btn" type="button" ref="leave" @click="close">{{ texts.close }}</button></div>
        </template>
        <template v-else>
          <h2 id="bulk-title">{{ say(texts.title, { n: names.length, name: names[0] }) }}</h2>
          <p>{{ say(undo ? texts.text_with_undo : texts.text, { time: undo }) }}</p>
          <ul class="outcomes names" tabindex="0" v-if="names.length > 1" :aria-label="texts.which"><li v-for="name in names" :key="name">{{ name }}</li></ul>
          <label class="field"><span>{{ texts.type }}<code>{{ phrase }}</code></span>
            <input class="input" v-model="typed" ref="input" autocapitalize="none" spellcheck="false"></label>
          <div class="error" role="alert" v-if="wrong"><i class="icon" data-icon="alert"></i><span>{{ wrong }}</span></div>
          <div class="actions">
            <button class="btn" type="button" @click="close">{{ texts.cancel }}</button>
            <button class="btn danger solid" type="submit" :disabled="!matches" :aria-busy="busy ? 'true' : null"><i class="icon" data-icon="spinner" v-if="busy"></i>{{ busy ? texts.deleting : undo ? texts.submit_with_undo : texts.submit }}</button>
          </div>
        </template>
      </form>
    </dialog>`,
  data() { return { action: "delete", names: [], typed: "", busy: false, wrong: "", outcomes: null }; },
  computed: {
    phrase() { return this.names.length === 1 ? this.names[0] : Storefleet.say(this.texts.phrase, { n: this.names.length }); },
    matches() { return this.typed.trim().toLowerCase() === this.phrase.toLowerCase(); },
    refused() { return (this.outcomes || []).filter((each) => each.refused); },
    done() { return (this.outcomes || []).filter((each) => !each.refused); },
  },
  mounted() {
    this.leave = [
      Storefleet.on("ask-deletion", this.open),
      Storefleet.on("act", ({ action, names }) => this.$emit("act", { action, names })),
    ];
  },
  unmounted() { this.leave.forEach((end) => end()); },
  methods: {
    say: (text, values) => Storefleet.say(text, values),
    open(names) {
      if (this.$refs.dialog.open || !names.length) return;
      Object.assign(this, { action: "delete", names, typed: "", busy: false, wrong: "", outcomes: null });
      this.$refs.dialog.showModal();
      this.$nextTick(() => this.$refs.input.focus());
    },
    close() { this.$refs.dialog.close(); },
    submit() {
      if (!this.matches || this.busy) return;
      this.wrong = Storefleet.offline();
      if (this.wrong) return;
      this.busy = true;
      this.$emit("act", { action: "delete", names: this.names });
    },
    // Called by the server: what became of each store.
    acted(action, outcomes) {
      Storefleet.tell("acted", { action, outcomes });
      const refused = outcomes.filter((each) => each.refused);
      this.busy = false;
      if (!refused.length) {
        this.close();
        Storefleet.toast(Storefleet.say(this.texts.done[action], { n: outcomes.length, name: outcomes[0]?.name }));
      } else if (outcomes.length === 1) {
        this.close();
        Storefleet.toast(`${refused[0].name}: ${refused[0].refused}`, true);
      } else {
        Object.assign(this, { action, outcomes });
        if (!this.$refs.dialog.open) this.$refs.dialog.showModal();
        this.$nextTick(() => this.$refs.leave.focus());
      }
    },
  },
};
