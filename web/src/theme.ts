/** Light or dark: the system's wish, or the person's. */

import * as store from "./store";

const system = matchMedia("(prefers-color-scheme: dark)");

export function isDark(): boolean {
  const theme = store.get().theme;
  return theme === "auto" ? system.matches : theme === "dark";
}

/** Apply now and whenever it changes. */
export function followTheme(changed: (dark: boolean) => void): void {
  const apply = (): void => {
    document.documentElement.dataset["theme"] = isDark() ? "dark" : "light";
    changed(isDark());
  };
  system.addEventListener("change", apply);
  store.onChange(apply);
  apply();
}
