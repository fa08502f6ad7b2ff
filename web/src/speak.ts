// A widget in its reader's language: where a list of words knows a text of the widget, which is English, its own stands in the place of it. It
// comes for widgets that are not to be English.
export type Words = Record<string, string>;
const ATTRIBUTES = ["aria-label", "title", "placeholder"];

/** What a text is in the list; its numbers stand as `#` there, and stay as they are with their units, and so does the space around it. */
function said(words: Words, text: string): string | undefined {
  const numbers: string[] = [];
  const key = text.trim().replace(/\d[\d.,]*(\s%)?/g, (number) => (numbers.push(number), "#"));
  const own = words[key]?.replace(/#/g, () => numbers.shift() ?? "");
  return own && text.replace(text.trim(), () => own);
}

/** Has a widget speak with the words of a list from now on. */
export function speak(stage: HTMLElement, words: Words): void {
  const look = (node: Node): void => {
    if (node instanceof Text) {
      const own = said(words, node.data);
      if (own !== undefined && own !== node.data) node.data = own;
      return;
    }
    if (node instanceof Element) {
      for (const name of ATTRIBUTES) {
        const own = said(words, node.getAttribute(name) ?? "");
        if (own !== undefined && own !== node.getAttribute(name)) node.setAttribute(name, own);
      }
    }
    node.childNodes.forEach(look);
  };
  const changed = (records: MutationRecord[]): void => records.forEach(({ target, addedNodes }) => (addedNodes.length ? addedNodes.forEach(look) : look(target)));
  new MutationObserver(changed).observe(stage, { subtree: true, childList: true, characterData: true, attributeFilter: ATTRIBUTES });
}
