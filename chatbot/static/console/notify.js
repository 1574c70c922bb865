/** A soft sound and a browser notification when something new waits; both off until asked for. */
const PREFERENCES = "deskgate:console-preferences";

function stored() {
  try {
    return JSON.parse(localStorage.getItem(PREFERENCES)) ?? {};
  } catch {
    return {};
  }
}

export class Notifier {
  #audio = null;
  #preferences = stored();

  get sound() {
    return Boolean(this.#preferences.sound);
  }

  get desktop() {
    return Boolean(this.#preferences.desktop) && globalThis.Notification?.permission === "granted";
  }

  #save(change) {
    Object.assign(this.#preferences, change);
    try {
      localStorage.setItem(PREFERENCES, JSON.stringify(this.#preferences));
    } catch {
      // Storage refused: the choice lasts as long as the page.
    }
  }

  setSound(on) {
    this.#save({ sound: on });
    if (on) this.#beep();
  }

  /** Returns a sentence when the browser refuses, else "". */
  async setDesktop(on) {
    if (!on) {
      this.#save({ desktop: false });
      return "";
    }
    if (!("Notification" in globalThis)) return "This browser has no notifications.";
    if (await Notification.requestPermission() !== "granted") {
      return "The browser blocks notifications for this page. Allow them in its settings.";
    }
    this.#save({ desktop: true });
    return "";
  }

  /** No customer text: notifications show on locked screens. */
  tell(title) {
    if (this.sound) this.#beep();
    if (!this.desktop || document.visibilityState === "visible") return;
    const notification = new Notification(title, { tag: "deskgate" });
    notification.onclick = () => {
      window.focus();
      notification.close();
    };
  }

  #beep() {
    this.#audio ??= new AudioContext();
    const { currentTime: start, destination } = this.#audio;
    for (const [hertz, delay] of [[660, 0], [880, 0.13]]) {
      const tone = this.#audio.createOscillator();
      const gain = this.#audio.createGain();
      tone.frequency.value = hertz;
      gain.gain.setValueAtTime(0, start + delay);
      gain.gain.linearRampToValueAtTime(0.06, start + delay + 0.02);
      gain.gain.exponentialRampToValueAtTime(0.0001, start + delay + 0.3);
      tone.connect(gain).connect(destination);
      tone.start(start + delay);
      tone.stop(start + delay + 0.32);
    }
  }
}
