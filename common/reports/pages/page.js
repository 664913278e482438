// Tables sort by a click on a head: numbers the largest first, names from A; a second click turns the order.
for (const button of document.querySelectorAll(".sorts th button")) {
  button.addEventListener("click", () => {
    const head = button.parentNode, row = head.parentNode, column = [...row.children].indexOf(head);
    const body = head.closest("table").tBodies[0], rows = [...body.rows];
    const numbers = rows.some(r => r.cells[column].dataset.value !== undefined);
    const order = head.ariaSort ? (head.ariaSort === "ascending" ? "descending" : "ascending")
      : numbers ? "descending" : "ascending";
    const value = r => numbers ? Number(r.cells[column].dataset.value) : r.cells[column].textContent;
    const compare = (a, b) => numbers ? value(a) - value(b) : value(a).localeCompare(value(b));
    rows.sort((a, b) => order === "ascending" ? compare(a, b) : compare(b, a));
    for (const other of row.children) other.removeAttribute("aria-sort");
    head.ariaSort = order;
    body.append(...rows);
  });
}

// A line goes over a clip's picture while its sound plays; a click on the picture moves to that moment.
for (const clip of document.querySelectorAll(".clip")) {
  const sound = clip.querySelector("audio"), picture = clip.querySelector(".seen.time img");
  if (!sound || !picture) continue;
  const seconds = Number(picture.dataset.seconds), line = document.createElement("div");
  line.className = "cursor";
  line.hidden = true;
  picture.after(line);
  const move = () => {
    line.hidden = false;
    line.style.left = Math.min(sound.currentTime / seconds, 1) * 100 + "%";
    if (!sound.paused) requestAnimationFrame(move);
  };
  sound.addEventListener("play", move);
  sound.addEventListener("seeked", move);
  picture.addEventListener("click", event => { sound.currentTime = event.offsetX / picture.clientWidth * seconds; });
}
