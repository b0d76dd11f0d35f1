// See account.py.
export default {
  props: { facts: Object, texts: Object },
  emits: ["password", "end", "end-others", "make", "revoke", "disconnect"],
  template: `
    <div class="account-page">
      <h1>{{ texts.title }}</h1>
      <section v-if="facts.password">
        <h2>{{ texts.password }}</h2>
        <form class="card form" @submit.prevent="change">
          <p class="quiet">{{ texts.password_lead }}</p>
          <label class="field"><span>{{ texts.old }}</span><input class="input" type="password" v-model="old" autocomplete="current-password" maxlength="256" required :aria-invalid="refused.password ? 'true' : null" :aria-describedby="refused.password ? 'password-wrong' : null"></label>
          <label class="field"><span>{{ texts.new }}</span><input class="input" type="password" v-model="wanted" autocomplete="new-password" minlength="8" maxlength="256" required aria-describedby="password-rule"></label>
          <p class="quiet small" id="password-rule">{{ texts.rule }}</p>
          <div class="error" id="password-wrong" v-if="refused.password" role="alert"><i class="icon" data-icon="alert"></i>{{ refused.password }}</div>
          <div><button class="btn" type="submit" :aria-busy="busy === 'password' ? 'true' : null">{{ busy === "password" ? texts.changing : texts.change }}</button></div>
        </form>
      </section>
      <section>
        <header><h2>{{ texts.sessions }}</h2><button v-if="facts.sessions.length > 1" class="btn compact" type="button" @click="$emit('end-others')">{{ texts.end_others }}</button></header>
        <p class="quiet lead">{{ texts.sessions_lead }}</p>
        <ul class="card lines">
          <li v-for="each in facts.sessions" :key="each.id">
            <div><bdi class="name">{{ browser(each) }}</bdi> <span class="tag" v-if="each.current">{{ texts.this_one }}</span><span class="quiet beneath">{{ about(each) }}</span></div>
            <button class="btn compact" type="button" v-if="!each.current" @click="$emit('end', each.id)" :aria-label="texts.end_named.replace('{name}', browser(each))">{{ texts.end }}</button>
          </li>
        </ul>
      </section>
      <section>
        <header><h2>{{ texts.tokens }}</h2><button class="btn compact" type="button" @click="ask()"><i class="icon" data-icon="plus"></i>{{ texts.make }}</button></header>
        <p class="quiet lead">{{ texts.tokens_lead }}</p>
        <ul class="card lines" v-if="facts.tokens.length">
          <li v-for="each in facts.tokens" :key="each.id">
            <div><bdi class="name">{{ each.name }}</bdi> <span class="tag">{{ texts.scope_named[each.scope] }}</span><span class="quiet beneath">{{ life(each) }}</span></div>
            <button class="btn compact danger" type="button" @click="$emit('revoke', each.id)" :aria-label="texts.revoke_named.replace('{name}', each.name)">{{ texts.revoke }}</button>
          </li>
        </ul>
        <div class="card nothing" v-else><p class="quiet">{{ texts.no_tokens }}</p></div>
      </section>
      <section>
        <h2>{{ texts.notifications }}</h2>
        <div class="card form">
          <label class="check"><input type="checkbox" role="switch" :checked="notify" @change="set_notify($event.target)" aria-describedby="notify-lead"><span>{{ texts.notify }}</span></label>
          <p class="quiet small" id="notify-lead">{{ texts.notify_lead }}</p>
          <div class="error" v-if="denied" role="alert"><i class="icon" data-icon="alert"></i>{{ texts.notify_denied }}</div>
        </div>
      </section>
      <section v-if="facts.provider">
        <h2>{{ texts.provider.replace("{name}", facts.provider) }}</h2>
        <div class="card form">
          <p class="quiet">{{ facts.identity ? texts.provider_yes : texts.provider_no }}</p>
          <div class="error" v-if="facts.trouble" role="alert"><i class="icon" data-icon="alert"></i>{{ facts.trouble }}</div>
          <div v-if="!facts.identity"><a class="btn" href="/sign-in/oidc?connect=yes">{{ texts.connect }}</a></div>
          <div v-else-if="facts.password"><button class="btn" type="button" @click="$emit('disconnect')">{{ texts.disconnect }}</button></div>
        </div>
      </section>

      <dialog class="sheet" ref="dialog" aria-labelledby="token-title" @click.self="close" @close="closed">
        <form v-if="!token" @submit.prevent="make">
          <h2 id="token-title">{{ texts.make_title }}</h2>
          <label class="field"><span>{{ texts.name }}</span><input class="input" v-model="name" ref="name" maxlength="100" autocomplete="off" required :placeholder="texts.name_hint"></label>
          <fieldset class="choices"><legend class="legend">{{ texts.scope }}</legend>
            <label v-for="each in facts.scopes" :key="each" class="choice"><input type="radio" name="scope" :value="each" v-model="scope"><span><b>{{ texts.scopes[each][0] }}</b><span class="quiet">{{ texts.scopes[each][1] }}</span></span></label>
          </fieldset>
          <label class="field"><span>{{ texts.expires }}</span><select class="input" v-model="days"><option v-for="n in [7, 30, 90, 365]" :key="n" :value="n">{{ say("days", { n }) }}</option><option :value="0">{{ texts.days_never }}</option></select></label>
          <div class="error" v-if="refused.token" role="alert"><i class="icon" data-icon="alert"></i>{{ refused.token }}</div>
          <div class="actions">
            <button class="btn" type="button" @click="close">{{ texts.cancel }}</button>
            <button class="btn primary" type="submit" :aria-busy="busy === 'token' ? 'true' : null">{{ busy === "token" ? texts.making : texts.submit }}</button>
          </div>
        </form>
        <form v-else @submit.prevent="close">
          <h2 id="token-title">{{ texts.made_title.replace("{name}", name) }}</h2>
          <p class="quiet">{{ texts.made_lead }}</p>
          <div class="once"><input class="input" readonly :value="token" :aria-label="texts.token" ref="token" @focus="$event.target.select()"><button class="btn" type="button" @click="copy"><i class="icon" data-icon="copy"></i>{{ texts.copy }}</button></div>
          <div class="actions"><button class="btn primary" type="submit">{{ texts.close }}</button></div>
        </form>
      </dialog>
    </div>`,
  data: () => ({ old: "", wanted: "", name: "", scope: "write", days: 90, token: "", busy: "", refused: {}, notify: Storefleet.notifications(), denied: false, tick: 0 }),
  watch: { name: "keep", scope: "keep", days: "keep", token: "keep" },
  created() { this.draft = Storefleet.draft("token"); },
  mounted() {
    this.ticker = setInterval(() => this.tick++, 30000);
    const kept = this.draft.read();
    if (kept && this.facts.scopes.includes(kept.scope)) this.$nextTick(() => this.ask(kept));
  },
  unmounted() { clearInterval(this.ticker); },
  methods: {
    // While the dialog is open, what is filled in is kept: a page that lost its server is loaded anew.  No token is.
    keep() {
      const { name, scope, days } = this;
      if (this.token) this.draft.drop();
      else if (this.$refs.dialog.open) this.draft.keep({ name, scope, days });
    },
    say(key, values) { return Storefleet.say(this.texts[key], values); },
    browser(each) { return Storefleet.browserName(each.agent, this.texts); },
    about(each) { return this.tick >= 0 && this.say("session_about", { address: each.address, ago: Storefleet.ago(each.last_seen_at), since: Storefleet.ago(each.created_at) }); },
    life(each) {
      const left = each.expires_at && (Date.parse(each.expires_at) - Storefleet.now()) / 1000;
      const end = !each.expires_at ? this.texts.for_ever : left <= 0 ? this.texts.expired : this.say("until", { time: Storefleet.age(left) });
      return [each.last_used_at ? this.say("used", { ago: Storefleet.ago(each.last_used_at) }) : this.texts.unused, end].join(" · ");
    },
    change() {
      if (this.busy) return;
      Object.assign(this, { busy: "password", refused: {} });
      this.$emit("password", this.old, this.wanted);
    },
    password_changed() {
      Object.assign(this, { busy: "", old: "", wanted: "" });
      Storefleet.toast(this.texts.changed);
    },
    ask({ name = "", scope = "write", days = 90 } = {}) {
      Object.assign(this, { name, scope, days, token: "", busy: "", refused: {} });
      this.$refs.dialog.showModal();
      this.keep();
      this.$nextTick(() => this.$refs.name.focus());
    },
    close() { this.$refs.dialog.close(); },
    closed() {
      this.token = "";
      this.draft.drop();
    },
    make() {
      if (this.busy) return;
      Object.assign(this, { busy: "token", refused: {} });
      this.$emit("make", this.name, this.scope, this.days || null);
    },
    made(name, token) {
      Object.assign(this, { busy: "", name, token });
      this.$nextTick(() => this.$refs.token.focus());
    },
    async copy() {
      await Storefleet.copy(this.token);
      Storefleet.toast(this.texts.copied);
    },
    async set_notify(box) {
      this.denied = box.checked && !(await Storefleet.setNotifications(true));
      if (!box.checked) await Storefleet.setNotifications(false);
      this.notify = box.checked = Storefleet.notifications();
    },
    refuse(what, sentence) { Object.assign(this, { busy: "", refused: { [what]: sentence } }); },
  },
};
