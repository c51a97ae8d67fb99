/** Speaking by the browser's speech synthesis. */

import * as store from "./store";
import { texts } from "./i18n";

export function say(text: string): void {
  if (!store.get().voice || !("speechSynthesis" in window)) return;
  const utterance = new SpeechSynthesisUtterance(text);
  const locale = texts().locale;
  utterance.lang = locale;
  // voices of this machine only: others would send the words elsewhere
  const voices = speechSynthesis.getVoices();
  const own = voices.find((voice) => voice.localService && voice.lang.slice(0, 2) === locale.slice(0, 2));
  if (own) utterance.voice = own;
  else if (voices.length > 0) return;
  speechSynthesis.speak(utterance);
}

export function hush(): void {
  if ("speechSynthesis" in window) speechSynthesis.cancel();
}
