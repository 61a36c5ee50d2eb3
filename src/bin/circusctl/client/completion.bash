# circusctl completion for bash: source <(circusctl completion bash)
_circusctl() {
    local IFS=$'\n' line=${COMP_LINE:0:COMP_POINT} word
    word=${line##*[[:space:]]}
    COMPREPLY=($("$1" completion --line "$line" 2>/dev/null | cut -f 1))
    # A colon ends a word for readline, so what stands before it is not to be given again.
    if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*:}"}"}")
    fi
}
complete -F _circusctl circusctl
