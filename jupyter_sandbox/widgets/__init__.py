"""Pictures of a running sandbox: text, SVG, graph, figure, and a live tree. Drawn from frozen views only."""
