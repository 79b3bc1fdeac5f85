// What is shown once and never again: a token that was just made. It is held in memory, for as long as it is shown.
class Secrets {
  title = $state("");
  text = $state("");

  show(title: string, text: string): void {
    this.title = title;
    this.text = text;
  }
  forget(): void {
    this.title = "";
    this.text = "";
  }
}
export const secrets = new Secrets();
