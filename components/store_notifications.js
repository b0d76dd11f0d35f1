// See store_notifications.py.
export default {
  template: `<span hidden></span>`,
  mounted() {
    this.begin = () => Storefleet.notifications() && this.$emit("wanted");
    addEventListener("storefleet-notifications", this.begin);
    this.begin();
  },
  unmounted() { removeEventListener("storefleet-notifications", this.begin); },
  methods: {
    tell(title, body, path, tag) {
      if (!Storefleet.notifications()) return;
      const shown = new Notification(title, { body, tag });
      shown.onclick = () => {
        window.focus();
        location.assign(path);
        shown.close();
      };
    },
  },
};
