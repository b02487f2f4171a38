// A job's log goes on while the page is open; a pipeline's jobs are looked at again while something runs.
const log = document.getElementById("log");
if (log && log.dataset.follow) {
  const source = new EventSource(log.dataset.follow);
  source.addEventListener("log", (event) => {
    const atEnd = window.innerHeight + window.scrollY >= document.body.scrollHeight - 40;
    log.append(JSON.parse(event.data));
    if (atEnd) window.scrollTo(0, document.body.scrollHeight);
  });
  source.addEventListener("end", () => {
    source.close();
    window.location.reload();
  });
  // A reconnection would send again what is shown already.
  source.addEventListener("error", () => {
    source.close();
    setTimeout(() => window.location.reload(), 2000);
  });
}
const stages = document.querySelector(".stages");
if (stages && stages.dataset.refresh) setTimeout(() => window.location.reload(), 2000);
