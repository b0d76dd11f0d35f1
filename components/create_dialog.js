// See create_dialog.py.  A <dialog> of the platform: it keeps the focus inside, closes on Escape, gives the focus back.
export default {
  props: { templates: Array, plans: Array, currencies: Array, texts: Object },
  emits: ["check", "create"],
  template: `
    <dialog class="sheet create" ref="dialog" aria-labelledby="create-title" @click.self="close">
      <form method="dialog" @submit.prevent="submit" autocomplete="off">
        <h2 id="create-title">{{ texts.title }}</h2>
        <div class="error" role="alert" v-if="blocked"><i class="icon" data-icon="alert"></i><span>{{ blocked }}</span></div>
        <div>
          <label class="field"><span>{{ texts.name }}</span>
            <input class="input" ref="name" v-model="name" @input="typed" @change="tidy" name="store" autocapitalize="none" autocorrect="off" spellcheck="false"
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
          <button class="btn primary" type="submit" :disabled="!valid" :aria-busy="busy ? 'true' : null"><i class="icon" data-icon="spinner" v-if="busy"></i>{{ busy ? texts.creating : texts.submit }}</button>
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
  methods: {
    open(before, after, left, blocked) {
      this.pattern = [before, after];
      [this.left, this.blocked] = [left, blocked];
      if (this.$refs.dialog.open) return;
      this.refused = "";
      this.$refs.dialog.showModal();
      this.$refs.name.focus();
      if (this.name) this.$emit("check", this.name);
    },
    close() { this.$refs.dialog.close(); },
    typed() {
      this.refused = "";
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.$emit("check", this.name), 160);
    },
    tidy() { // what was pasted often brings spaces along
      if (this.name === this.name.trim()) return;
      this.name = this.name.trim();
      this.typed();
    },
    answer(name, problem) {
      if (name === this.name) this.checked = { name, problem };
    },
    submit() {
      if (!this.valid) return;
      this.busy = true;
      this.refused = "";
      const options = { currency: this.currency, sample_products: this.samples };
      if (this.title.trim()) options.title = this.title.trim();
      this.$emit("create", { name: this.name, template: this.template, plan: this.plan, options });
    },
    refuse(sentence) {
      this.busy = false;
      this.refused = sentence;
      this.$emit("check", this.name);
    },
  },
};
