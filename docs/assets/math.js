// Render the formulas that pymdownx.arithmatex marked, with the KaTeX in this folder.
for (const element of document.querySelectorAll(".arithmatex")) {
  const text = element.textContent.trim();
  katex.render(text.slice(2, -2), element, {
    displayMode: text.startsWith("\\["),
    throwOnError: false, // a wrong formula is shown in red, with the class katex-error
  });
  // Keep the full stop or comma after a formula on its line.
  const next = element.nextSibling;
  const stop = next && next.nodeType === Node.TEXT_NODE && next.data.match(/^[.,;:)]+/);
  const boxes = element.querySelectorAll(".katex-html > .katex-base");
  if (stop && boxes.length) {
    boxes[boxes.length - 1].append(stop[0]);
    next.data = next.data.slice(stop[0].length);
  }
}
