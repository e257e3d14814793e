package io.ambo.hatests.lab;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A host's network counters at one moment, by the kernel's names: {@code Tcp.RetransSegs}, {@code TcpExt.TCPSynRetrans}, {@code Ip6InReceives}. From
 * /proc/net/snmp, netstat and snmp6.
 */
public final class NetStat {
    private final Map<String, Long> counters;

    private NetStat(Map<String, Long> counters) { this.counters = counters; }

    public static NetStat of(NetworkNamespace host) {
        Map<String, Long> counters = new TreeMap<>();
        readPairs(host.procNet("snmp"), counters);
        readPairs(host.procNet("netstat"), counters);
        for (String line : host.procNet("snmp6").lines().toList()) {
            String[] words = line.split("\\s+", -1);
            if (words.length == 2) counters.put(words[0], Long.parseLong(words[1]));
        }
        return new NetStat(counters);
    }

    /** These files hold pairs of lines: names, then values, both after the same prefix. */
    private static void readPairs(String text, Map<String, Long> counters) {
        List<String> lines = text.lines().toList();
        for (int i = 0; i + 1 < lines.size(); i += 2) {
            String[] names = lines.get(i).split("\\s+", -1);
            String[] values = lines.get(i + 1).split("\\s+", -1);
            String prefix = names[0].replace(':', '.');
            for (int column = 1; column < names.length; column++) counters.put(prefix + names[column], Long.parseLong(values[column]));
        }
    }

    /** @throws LabException when the kernel has no such counter: a check of a misspelt name would always pass */
    public long get(String name) {
        Long value = counters.get(name);
        if (value == null) throw new LabException("the kernel has no counter " + name);
        return value;
    }

    /** How much a counter has grown since an earlier moment. */
    public long since(NetStat earlier, String name) {
        return get(name) - earlier.get(name);
    }
}
