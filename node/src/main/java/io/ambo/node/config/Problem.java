package io.ambo.node.config;

/**
 * One thing that is wrong with a configuration.
 *
 * @param file   as the operator named it
 * @param line   from 1
 * @param key    dotted, with the index of list entries; empty when the file as a whole is meant
 * @param value  as written, shortened; empty when there is none
 * @param rule   what is wrong
 * @param remedy what to do; may be empty
 */
public record Problem(String file, int line, String key, String value, String rule, String remedy) {
    /** {@code ambo.yml:14 interfaces[1].name = eth9: no such interface on this host (have: eth0, eth1, sync)} */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(file);
        if (line > 0) text.append(':').append(line);
        if (!key.isEmpty()) text.append(' ').append(key);
        if (!value.isEmpty()) text.append(" = ").append(value);
        text.append(": ").append(rule);
        if (!remedy.isEmpty()) text.append(" (").append(remedy).append(')');
        return text.toString();
    }
}
