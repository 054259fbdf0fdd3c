// Players of one passage take turns: starting one stops the others and goes on where they were.
"use strict";
for (const passage of document.querySelectorAll(".passage")) {
  const players = [...passage.querySelectorAll("audio")];
  let place = 0;
  for (const player of players) {
    const head = player.closest(".clip").querySelector(".head");
    const show = () => {
      const length = player.duration || 1;
      for (const other of passage.querySelectorAll(".head")) {
        other.style.left = `${(100 * player.currentTime) / length}%`;
        other.style.opacity = other === head ? 1 : 0.35;
      }
    };
    const follow = () => {
      if (player.paused) return;
      place = player.currentTime;
      show();
      requestAnimationFrame(follow);
    };
    player.addEventListener("play", () => {
      for (const every of document.querySelectorAll("audio")) if (every !== player) every.pause();
      if (place < (player.duration || Infinity) - 0.1 && Math.abs(player.currentTime - place) > 0.05) {
        player.currentTime = place;
      }
      follow();
    });
    player.addEventListener("ended", () => { place = 0; });
    player.addEventListener("seeked", () => { if (player.paused) { place = player.currentTime; show(); } });
    player.closest(".clip").querySelector(".picture").addEventListener("click", (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      place = ((event.clientX - box.left) / box.width) * (player.duration || Number(passage.dataset.seconds));
      if (player.readyState) player.currentTime = place;
      player.play();
    });
  }
}
