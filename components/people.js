// See people.py.
export default {
  props: { found: Object, invitations: Array, texts: Object, me: String, usual: Number, asked: String },
  emits: ["search", "more", "invite", "take-back", "open", "role", "limit", "disable", "end", "password-link"],
  template: `
    <div class="people">
      <header class="page-head">
        <h1>{{ texts.title }}</h1>
        <button class="btn primary" type="button" @click="ask()"><i class="icon" data-icon="plus"></i>{{ texts.invite }}</button>
      </header>
      <label class="find"><span class="unseen">{{ texts.search }}</span><i class="icon" data-icon="search"></i><input class="input" type="search" v-model="q" :placeholder="texts.search" maxlength="100" @input="search"></label>
      <div class="card rows" v-if="found.items.length">
        <table>
          <thead><tr><th scope="col">{{ texts.columns.person }}</th><th scope="col">{{ texts.columns.stores }}</th><th scope="col">{{ texts.columns.seen }}</th><th scope="col"><span class="unseen">{{ texts.columns.manage }}</span></th></tr></thead>
          <tbody><tr v-for="each in found.items" :key="each.id" :class="{ out: each.disabled }">
            <td><bdi class="name">{{ each.email }}</bdi> <span class="tag" v-if="each.email === me">{{ texts.you }}</span>
              <span class="quiet beneath">{{ role(each) }}<template v-if="each.disabled"> · <b class="wrong">{{ texts.disabled }}</b></template><template v-if="each.identity"> · {{ texts.by_identity }}</template></span></td>
            <td class="number">{{ stores(each) }}</td>
            <td><time v-if="each.last_seen_at" :datetime="each.last_seen_at" :title="moment(each.last_seen_at)">{{ ago(each.last_seen_at) }}</time><span class="quiet" v-else>{{ texts.never }}</span></td>
            <td><button class="btn compact" type="button" @click="open(each)" :aria-label="texts.manage_named.replace('{name}', each.email)">{{ texts.manage }}</button></td>
          </tr></tbody>
        </table>
        <div class="more" v-if="found.next"><button class="btn compact" type="button" @click="$emit('more', q, found.next)">{{ texts.more }}</button></div>
      </div>
      <div class="card nothing" v-else role="status"><b>{{ texts.none_title }}</b><p class="quiet">{{ texts.none }}</p></div>
      <section v-if="invitations.length" class="invitations">
        <h2>{{ texts.invitations }}</h2>
        <ul class="card lines">
          <li v-for="each in invitations" :key="each.id">
            <div><bdi class="name">{{ each.email }}</bdi><span class="quiet beneath">{{ invited_by(each) }}</span></div>
            <button class="btn compact danger" type="button" @click="$emit('take-back', each.id)" :aria-label="texts.take_back_named.replace('{name}', each.email)">{{ texts.take_back }}</button>
          </li>
        </ul>
      </section>

      <dialog class="sheet" ref="invite" aria-labelledby="invite-title" @click.self="$refs.invite.close()" @close="invitation.drop()">
        <form v-if="!link" @submit.prevent="invite">
          <h2 id="invite-title">{{ texts.invite_title }}</h2>
          <p class="quiet">{{ texts.invite_lead }}</p>
          <label class="field"><span>{{ texts.email }}</span><input class="input" type="email" v-model="email" ref="email" maxlength="254" autocomplete="off" autocapitalize="none" spellcheck="false" required :aria-invalid="refused ? 'true' : null" :aria-describedby="refused ? 'invite-wrong' : null"></label>
          <fieldset class="choices"><legend class="legend">{{ texts.role }}</legend>
            <label v-for="each in ['owner', 'admin']" :key="each" class="choice"><input type="radio" name="invite-role" :value="each" v-model="invite_role"><span><b>{{ texts.roles[each] }}</b><span class="quiet">{{ texts["role_" + each] }}</span></span></label>
          </fieldset>
          <div class="error" id="invite-wrong" v-if="refused" role="alert"><i class="icon" data-icon="alert"></i>{{ refused }}</div>
          <div class="actions">
            <button class="btn" type="button" @click="$refs.invite.close()">{{ texts.cancel }}</button>
            <button class="btn primary" type="submit" :aria-busy="busy ? 'true' : null">{{ busy ? texts.inviting : texts.invite_submit }}</button>
          </div>
        </form>
        <form v-else @submit.prevent="$refs.invite.close()">
          <h2 id="invite-title">{{ texts.invited_title.replace("{name}", email) }}</h2>
          <p class="quiet">{{ texts.invited_lead }}</p>
          <div class="once"><input class="input" readonly :value="link" :aria-label="texts.link" ref="link" @focus="$event.target.select()"><button class="btn" type="button" @click="copy(link)"><i class="icon" data-icon="copy"></i>{{ texts.copy }}</button></div>
          <div class="actions"><button class="btn primary" type="submit">{{ texts.close }}</button></div>
        </form>
      </dialog>

      <dialog class="sheet" ref="manage" aria-labelledby="manage-title" @click.self="$refs.manage.close()" @close="closed">
        <form v-if="person" @submit.prevent="save_limit">
          <h2 id="manage-title"><bdi>{{ person.email }}</bdi></h2>
          <p class="notice" v-if="person.disabled">{{ texts.disabled_text }}</p>
          <fieldset class="choices" :disabled="busy"><legend class="legend">{{ texts.role }}</legend>
            <label v-for="each in ['owner', 'admin']" :key="each" class="choice"><input type="radio" name="role" :value="each" v-model="chosen" @change="change('role', each === 'admin')"><span><b>{{ texts.roles[each] }}</b><span class="quiet">{{ texts["role_" + each] }}</span></span></label>
          </fieldset>
          <div>
            <span class="legend">{{ texts.limit }}</span>
            <p class="quiet" v-if="person.admin">{{ texts.limit_admin }}</p>
            <div class="limit" v-else>
              <label class="check"><input type="radio" name="limit" :checked="!own" @change="own = false">{{ texts.limit_usual.replace("{n}", usual) }}</label>
              <label class="check"><input type="radio" name="limit" :checked="own" @change="own = true">{{ texts.limit_own }}</label>
              <input class="input" type="number" min="0" max="10000" step="1" v-model.number="number" :disabled="!own" :aria-label="texts.limit" required>
              <button class="btn" type="submit" :disabled="busy || limit() === person.store_limit">{{ texts.save }}</button>
            </div>
          </div>
          <div v-if="person.password && !person.disabled">
            <span class="legend">{{ texts.password }}</span>
            <p class="quiet">{{ new_link ? texts.password_made : texts.password_lead }}</p>
            <div class="once" v-if="new_link"><input class="input" readonly :value="new_link" :aria-label="texts.password_link" ref="new_link" @focus="$event.target.select()"><button class="btn" type="button" @click="copy(new_link)"><i class="icon" data-icon="copy"></i>{{ texts.copy }}</button></div>
            <button v-else class="btn compact" type="button" @click="make_link">{{ texts.password_make }}</button>
          </div>
          <div>
            <span class="legend">{{ texts.sessions }}</span>
            <p class="quiet" v-if="!sessions">{{ texts.loading }}</p>
            <p class="quiet" v-else-if="!sessions.length">{{ texts.nowhere }}</p>
            <ul v-else class="lines inner">
              <li v-for="each in sessions" :key="each.id"><div><bdi>{{ browser(each) }}</bdi><span class="quiet beneath">{{ about(each) }}</span></div>
                <button class="btn compact" type="button" @click="change('end', each.id)" :aria-label="texts.end_named.replace('{name}', browser(each))">{{ texts.end }}</button></li>
            </ul>
          </div>
          <div class="error" v-if="refused" role="alert"><i class="icon" data-icon="alert"></i>{{ refused }}</div>
          <div v-if="sure" class="sure" role="group" :aria-label="texts.disable"><p>{{ texts.disable_text.replace("{name}", person.email) }}</p>
            <div><button class="btn" type="button" @click="sure = false">{{ texts.disable_keep }}</button><button class="btn danger solid" type="button" ref="sure" @click="change('disable', true)">{{ texts.disable_submit }}</button></div></div>
          <div class="actions">
            <button v-if="person.disabled" class="btn" type="button" @click="change('disable', false)">{{ texts.enable }}</button>
            <button v-else-if="!sure" class="btn danger" type="button" @click="be_sure">{{ texts.disable }}</button>
            <button class="btn" type="button" v-if="sessions && sessions.length" @click="change('end', '')">{{ texts.end_all }}</button>
            <button class="btn" type="button" @click="$refs.manage.close()">{{ texts.close }}</button>
          </div>
        </form>
      </dialog>
    </div>`,
  data() { return { q: this.asked, email: "", invite_role: "owner", link: "", person: null, chosen: "", sessions: null, own: false, number: 0, new_link: "", sure: false, busy: false, refused: "", tick: 0 }; },
  watch: { email: "keep_invitation", invite_role: "keep_invitation", link: "keep_invitation", own: "keep_limit", number: "keep_limit" },
  created() { [this.invitation, this.limits] = ["invite", "limit"].map(Storefleet.draft); },
  mounted() {
    this.ticker = setInterval(() => this.tick++, 30000);
    const invitation = this.invitation.read(), limit = this.limits.read();
    const person = limit && this.found.items.find(({ email }) => email === limit.person);
    this.$nextTick(() => {
      if (invitation) this.ask(invitation);
      else if (person) this.open(person, limit);
    });
  },
  unmounted() { clearInterval(this.ticker); clearTimeout(this.typing); },
  methods: {
    role(each) { return this.texts.roles[each.admin ? "admin" : "owner"]; },
    stores(each) {
      if (each.admin) return this.texts.stores_any.replace("{n}", each.stores);
      return Storefleet.say(this.texts.stores_of, { n: each.stores, of: each.store_limit ?? this.usual });
    },
    ago(time) { return this.tick >= 0 && Storefleet.ago(time); },
    moment: (time) => Storefleet.moment(time),
    invited_by(each) {
      const time = Storefleet.age((Date.parse(each.expires_at) - Storefleet.now()) / 1000);
      return Storefleet.say(this.texts.invited_by, { role: this.role(each), by: each.invited_by, time });
    },
    browser(each) { return Storefleet.browserName(each.agent, this.texts); },
    about(each) { return Storefleet.say(this.texts.session_about, { address: each.address, ago: Storefleet.ago(each.last_seen_at), since: Storefleet.ago(each.created_at) }); },
    search() {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => {
        const address = new URL(location.href);
        if (this.q) address.searchParams.set("q", this.q);
        else address.searchParams.delete("q");
        history.replaceState(history.state, "", address);
        this.$emit("search", this.q);
      }, 200);
    },
    // While a dialog is open, what is filled in is kept: a page that lost its server is loaded anew.  Links are not.
    keep_invitation() {
      const { email, invite_role: role } = this;
      if (this.link) this.invitation.drop();
      else if (this.$refs.invite.open) this.invitation.keep({ email, role });
    },
    keep_limit() {
      const { person, own, number } = this;
      if (person && this.limit() !== person.store_limit) this.limits.keep({ person: person.email, own, number });
      else this.limits.drop();
    },
    ask({ email = "", role = "owner" } = {}) {
      Object.assign(this, { email, invite_role: role, link: "", busy: false, refused: "" });
      this.$refs.invite.showModal();
      this.keep_invitation();
      this.$nextTick(() => this.$refs.email.focus());
    },
    invite() {
      if (this.busy) return;
      Object.assign(this, { busy: true, refused: "" });
      this.$emit("invite", this.email, this.invite_role === "admin");
    },
    invited(email, link) {
      Object.assign(this, { email, link, busy: false });
      this.$nextTick(() => this.$refs.link.focus());
    },
    async copy(link) {
      await Storefleet.copy(link);
      Storefleet.toast(this.texts.copied);
    },
    open(each, { own, number } = {}) {
      Object.assign(this, { sessions: null, busy: false, refused: "", new_link: "" });
      this.take(each);
      if (own !== undefined) Object.assign(this, { own, number });
      this.$refs.manage.showModal();
      this.$emit("open", each.email);
    },
    take(person) {
      Object.assign(this, { person, chosen: person.admin ? "admin" : "owner", sure: false, own: person.store_limit !== null, number: person.store_limit ?? this.usual });
    },
    closed() {
      this.person = null;
      this.limits.drop();
    },
    limit() { return this.own ? this.number : null; },
    save_limit() { if (!this.person.admin) this.change("limit", this.limit()); },
    be_sure() {
      this.sure = true;
      this.$nextTick(() => this.$refs.sure.focus());
    },
    change(what, value) {
      if (this.busy) return;
      Object.assign(this, { busy: true, refused: "" });
      this.$emit(what, this.person.email, value);
    },
    make_link() {
      if (this.busy) return;
      Object.assign(this, { busy: true, refused: "" });
      this.$emit("password-link", this.person.email);
    },
    linked(email, link) {
      this.busy = false;
      if (this.person?.email !== email) return;
      this.new_link = link;
      this.$nextTick(() => this.$refs.new_link.focus());
    },
    opened(sessions) { this.sessions = sessions; },
    changed(person) {
      this.busy = false;
      if (this.person?.email !== person.email) return;
      this.take(person);
      Storefleet.toast(this.texts.saved);
    },
    refuse(sentence) {
      Object.assign(this, { busy: false, refused: sentence });
      if (this.person) this.chosen = this.person.admin ? "admin" : "owner"; // as it still is
    },
  },
};
