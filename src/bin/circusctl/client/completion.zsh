#compdef circusctl
# circusctl completion for zsh: circusctl completion zsh > a directory of $fpath/_circusctl
_circusctl() {
    local -a found
    local word help
    while IFS=$'\t' read -r word help; do
        found+=("${word//:/\\:}${help:+:$help}")
    done < <("${words[1]}" completion --line "${(j: :)words[1,CURRENT]}" 2>/dev/null)
    _describe 'circusctl' found
}
if [ "$funcstack[1]" = "_circusctl" ]; then
    _circusctl "$@"
else
    compdef _circusctl circusctl
fi
