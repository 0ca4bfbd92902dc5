# Completion of op25b in bash, loaded by bash-completion: op25b itself prints what may stand next.
#
# Clap's own script for bash neither keeps the colons of an IPv6 prefix in one word nor quotes a customer's name.

_op25b() {
    local cur words cword candidate IFS=$'\n'
    _get_comp_words_by_ref -n : cur words cword || return
    # As op25b would get it: without the quotes that bash has not taken off yet.
    words[cword]=${cur//[\\\"\']/}
    COMPREPLY=()
    while read -r candidate; do
        if [[ $cur != [\"\']* && $candidate == *[[:space:]\"\'\\\&\;\|\<\>\(\)\$\`*?]* ]]; then
            printf -v candidate %q "$candidate"
        fi
        COMPREPLY+=("$candidate")
    done < <(OP25B_COMPLETE=bash _CLAP_COMPLETE_INDEX=$cword op25b -- "${words[@]}" 2>/dev/null && echo)
    # An option that takes its value after `=`, and a path that goes on.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]]; then
        compopt -o nospace
    fi
    __ltrim_colon_completions "$cur"
}

complete -o bashdefault -o nosort -F _op25b op25b
