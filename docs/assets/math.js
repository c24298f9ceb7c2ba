// Render the formulas that pymdownx.arithmatex marked, with the KaTeX in this folder.
for (const element of document.querySelectorAll(".arithmatex")) {
  const text = element.textContent.trim();
  katex.render(text.slice(2, -2), element, {
    displayMode: text.startsWith("\\["),
    throwOnError: false, // a wrong formula is shown in red, with the class katex-error
  });
}
