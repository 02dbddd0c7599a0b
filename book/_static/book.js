// Small repairs that style sheets cannot make: what scrolls sideways must be reachable by keyboard, and must have a name.
(() => {
  const kinds = [
    ["div.math", "Equation, scrolls sideways"],
    ["mjx-container[display='true']", "Equation, scrolls sideways"],
    [".pst-scrollable-table-container", "Table, scrolls sideways"],
    ["div.highlight pre", "Code, scrolls sideways"],
    [".cell_output .output", "Output, scrolls sideways"],
  ];

  function nameScrollers() {
    for (const [selector, name] of kinds) {
      for (const element of document.querySelectorAll(selector)) {
        if (element.scrollWidth <= element.clientWidth + 1) continue;
        element.tabIndex = 0;
        if (!element.hasAttribute("role")) element.setAttribute("role", "region");
        if (!element.hasAttribute("aria-label")) element.setAttribute("aria-label", name);
      }
    }
  }

  window.addEventListener("load", () => {
    const typeset = window.MathJax?.startup?.promise ?? Promise.resolve();
    typeset.then(nameScrollers);
  });
  window.addEventListener("resize", nameScrollers);
})();
