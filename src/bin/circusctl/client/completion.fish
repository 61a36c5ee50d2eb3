# circusctl completion for fish: circusctl completion fish > ~/.config/fish/completions/circusctl.fish
function __circusctl
    set -l line (commandline --current-process --cut-at-cursor | string collect)
    command circusctl completion --line "$line" 2>/dev/null
end
complete --command circusctl --no-files --arguments '(__circusctl)'
