"""The console's colours: dark, with one accent. Widgets use the variables, never a colour."""

from textual.theme import Theme

THEME = Theme(
    name="bpfscope",
    primary="#7aa2c9",
    accent="#6cb6c4",
    success="#87b379",
    warning="#d8a657",
    error="#e07b72",
    foreground="#d3d7de",
    background="#101317",
    surface="#161a20",
    panel="#1d232b",
    variables={
        "text-dim": "#8b939f",
        "text-faint": "#4a525d",
        "text-title": "#f0f3f7",
        "text-accent": "#7cc7d5",
        "text-graph": "#5a94a3",
        "text-success": "#9ac98b",
        "text-warning": "#e3b568",
        "text-error": "#ee8d84",
        "cursor": "#243240",
        "frame": "#1d3840",
        "frame-other": "#274a54",
        "rule": "#39414b",
        "scrollbar": "#39414b",
        "border": "#39414b",
        "input-cursor-background": "#d3d7de",
        "input-cursor-foreground": "#101317",
    },
)
