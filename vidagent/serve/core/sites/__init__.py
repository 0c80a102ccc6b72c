"""Videos of sites, by yt-dlp in a process of its own."""
