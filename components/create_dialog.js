// See create_dialog.py.  A <dialog> of the platform: it keeps the focus inside, closes on Escape, gives the focus back.
export default {
  props: { templates: Array, plans: Array, currencies: Array, opened: Boolean, texts: Object },
  emits: ["tell", "check", "create", "resume"],
  template: `
    <dialog class="sheet create" ref="dialog" aria-labelledby="create-title" @click.self="close" @close="closed">
      <form method="dialog" @submit.prevent="submit" autocomplete="off">
        <h2 id="create-title">{{ texts.title }}</h2>
        <div class="error" role="alert" v-if="blocked"><i class="icon" data-icon="alert"></i><span>{{ blocked }}</span></div>
        <div>
          <label class="field"><span>{{ texts.name }}</span>
            <input class="input" ref="name" v-model="name" @input="typed" @change="tidy" @keydown.enter.prevent="submit" name="store" autocapitalize="none" autocorrect="off" spellcheck="false"
              maxlength="300" aria-describedby="create-hint create-address" :aria-invalid="verdict === 'wrong' ? 'true' : null"></label>
          <p class="hint" id="create-hint" aria-live="polite" :class="verdict"><i class="icon" v-if="icon" :data-icon="icon"></i><span>{{ hint }}</span></p>
          <p class="address" id="create-address"><span class="unseen">{{ texts.address }}: </span><span>{{ address[0] }}</span><b>{{ address[1] }}</b><span>{{ address[2] }}</span></p>
        </div>
        <fieldset>
          <legend class="legend">{{ texts.plan }}</legend>
          <div class="options">
            <label class="option" v-for="each in plans" :key="each.name"><input type="radio" name="plan" :value="each.name" v-model="plan">
              <b>{{ each.title }}</b><span class="small quiet">{{ each.description }}</span>
              <span class="size number"><span><b>{{ each.cpu }}</b> {{ texts.cpu }}</span><span><b>{{ each.memory }}</b> {{ texts.memory }}</span><span><b>{{ each.storage }}</b> {{ texts.storage }}</span></span></label>
          </div>
        </fieldset>
        <fieldset>
          <legend class="legend">{{ texts.template }}</legend>
          <label class="option wide" v-for="each in templates" :key="each.name"><input type="radio" name="template" :value="each.name" v-model="template">
            <b>{{ each.title }}</b><span class="small quiet">{{ each.description }}</span></label>
        </fieldset>
        <details class="more">
          <summary data-icon="chevron">{{ texts.details }}</summary>
          <div class="pair">
            <label class="field"><span>{{ texts.shop_title }}</span><input class="input" v-model="title" maxlength="80" :placeholder="name"></label>
            <label class="field"><span>{{ texts.currency }}</span><select class="input" v-model="currency"><option v-for="each in currencies" :key="each" :value="each">{{ each.toUpperCase() }}</option></select></label>
          </div>
          <label class="check"><input type="checkbox" v-model="samples">{{ texts.samples }}</label>
        </details>
        <div class="error" role="alert" v-if="refused && !blocked"><i class="icon" data-icon="alert"></i><span>{{ refused }}</span></div>
        <div class="actions">
          <span class="left small quiet number" v-if="left">{{ left }}</span>
          <button class="btn" type="button" @click="close">{{ texts.cancel }}</button>
          <button class="btn primary" type="submit" :disabled="!(valid || busy)" :aria-busy="busy ? 'true' : null"><i class="icon" data-icon="spinner" v-if="busy"></i>{{ busy ? texts.creating : texts.submit }}</button>
        </div>
      </form>
    </dialog>`,
  data() {
    return {
      name: "", plan: this.plans[0].name, template: this.templates[0].name, title: "", currency: this.currencies[0], samples: true,
      pattern: ["", ""],
      checked: null, // the server's last word: {name, problem}
      busy: false, refused: "",
      left: "", blocked: "", // how many stores there may still be, and why there can be none now
      eager: false, // Enter was pressed before the server had spoken of the name
      sent: false, // asked for, and not answered yet
    };
  },
  computed: {
    current() { return this.checked?.name === this.name; },
    verdict() { return !this.name || !this.current ? "" : this.checked.problem ? "wrong" : "good"; },
    valid() { return this.verdict === "good" && !this.busy && !this.blocked; },
    icon() { return { wrong: "alert", good: "check" }[this.verdict]; },
    hint() {
      if (!this.name) return this.texts.name_hint;
      if (!this.current) return this.texts.checking;
      return this.checked.problem || this.texts.free;
    },
    // The address in three parts, the name in the middle: it follows each key, before the server has spoken.
    address() {
      return [this.pattern[0], this.name || "…", this.pattern[1]];
    },
  },
  watch: {
    name: "keep", plan: "keep", template: "keep", title: "keep", currency: "keep", samples: "keep",
  },
  created() { this.draft = Storefleet.draft("create"); },
  mounted() {
    this.leave = Storefleet.on("create", this.open);
    const kept = this.draft.read();
    const fits = (kept) => this.plans.some(({ name }) => name === kept.plan) && this.templates.some(({ name }) => name === kept.template);
    if (kept && fits(kept)) {
      const { name, plan, template, title, currency, samples, sent } = kept;
      Object.assign(this, { name, plan, template, title, currency, samples });
      this.$nextTick(() => (sent ? this.ask_again() : this.open()));
    } else if (this.opened) this.$nextTick(this.open);
    const address = new URL(location.href);
    if (address.searchParams.has("create")) {
      address.searchParams.delete("create");
      history.replaceState(history.state, "", address);
    }
  },
  unmounted() { this.leave(); },
  methods: {
    // While it is open, what is filled in is kept: a page that lost its server is loaded anew.
    keep() {
      const { name, plan, template, title, currency, samples, sent } = this;
      if (this.$refs.dialog?.open) this.draft.keep({ name, plan, template, title, currency, samples, sent });
    },
    open() {
      this.$emit("tell");
      if (this.$refs.dialog.open) return;
      this.refused = "";
      this.$refs.dialog.showModal();
      this.$refs.name.focus();
      this.keep();
      if (this.name) this.$emit("check", this.name);
    },
    told({ before, after, left, blocked }) {
      this.pattern = [before, after];
      [this.left, this.blocked] = [left, blocked];
    },
    // The page was lost between the wish and its answer: it may have been heard.
    ask_again() {
      this.open();
      this.busy = true;
      this.$emit("resume", this.name);
    },
    close() { this.$refs.dialog.close(); },
    closed() {
      this.eager = false;
      if (!this.busy) this.draft.drop();
    },
    typed() {
      this.refused = "";
      this.eager = false;
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.$emit("check", this.name), 160);
    },
    tidy() { // what was pasted often brings spaces along
      if (this.name === this.name.trim()) return;
      this.name = this.name.trim();
      this.typed();
    },
    answer(name, problem) {
      if (name !== this.name) return;
      this.checked = { name, problem };
      if (this.eager) this.submit();
    },
    submit() {
      this.eager = Boolean(this.name) && !this.current && !this.busy;
      if (!this.valid) return;
      this.refused = Storefleet.offline();
      if (this.refused) return;
      this.busy = this.sent = true;
      this.keep();
      const options = { currency: this.currency, sample_products: this.samples };
      if (this.title.trim()) options.title = this.title.trim();
      this.$emit("create", { name: this.name, template: this.template, plan: this.plan, options });
    },
    // The server's answers; a store that is asked for leads to its own page.
    made() { this.draft.drop(); },
    refuse(sentence) {
      this.busy = this.sent = false;
      this.keep();
      this.refused = sentence;
      this.$emit("check", this.name);
    },
  },
};
