// Light, dark, or as the system has it. public/theme.js applies it before the first paint of the next visit.
export type Theme = "auto" | "light" | "dark";

class Chosen {
  value: Theme = $state((document.documentElement.dataset.theme as Theme | undefined) ?? "auto");

  choose(theme: Theme): void {
    this.value = theme;
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    try {
      if (theme === "auto") localStorage.removeItem("theme");
      else localStorage.setItem("theme", theme);
    } catch {
      // No storage: it holds until the page is left.
    }
  }
}
export const theme = new Chosen();
