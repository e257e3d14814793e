package io.ambo.node.config;

import java.lang.reflect.RecordComponent;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32C;

/** The settings that must be equal on all members, each as text. */
public final class ClusterWide {
    private static final List<String> SECTIONS = List.of("cluster.", "firewall.", "timeouts.");
    /** Of these sections, what is each node's own. */
    private static final Set<String> OWN = Set.of("cluster.bind-address", "cluster.bind-port", "cluster.peers", "cluster.key-file");

    private ClusterWide() {}

    /** By key, in the order of the reference. Interfaces have names of their own on each node, so floating addresses stand without theirs. */
    public static Map<String, String> settings(Config config) {
        Map<String, String> settings = new LinkedHashMap<>();
        for (ConfigKey key : ConfigKey.ALL)
            if (SECTIONS.stream().anyMatch(key.path()::startsWith) && !OWN.contains(key.path()))
                settings.put(key.path(), key.text().apply(config));
        settings.put("firewall.rules", config.firewall().rules().stream().map(RuleConfig::name).toList().toString());
        for (RuleConfig rule : config.firewall().rules()) components("firewall.rules." + rule.name(), rule, settings);
        settings.put("nat", config.nat().stream().map(NatConfig::name).toList().toString());
        for (NatConfig rule : config.nat()) components("nat." + rule.name(), rule, settings);
        settings.put("addresses", config.addresses().stream().map(FloatingConfig::text).sorted().toList().toString());
        for (FloatingConfig each : config.addresses()) settings.put("addresses." + each.text() + ".prefer", each.prefer());
        return settings;
    }

    /** Nodes with the same number have the same settings. */
    public static int digest(Config config) {
        CRC32C crc = new CRC32C();
        settings(config).forEach((key, value) -> crc.update((key + "=" + value + "\n").getBytes(StandardCharsets.UTF_8)));
        return (int) crc.getValue();
    }

    /** One setting for each part of a rule, so that a difference names the part. Sets are sorted: their order is no difference. */
    private static void components(String key, Record rule, Map<String, String> settings) {
        for (RecordComponent component : rule.getClass().getRecordComponents()) {
            String name = component.getName();
            if (name.equals("name")) continue;
            try {
                Object value = component.getAccessor().invoke(rule);
                String text = value instanceof Set<?> set
                        ? set.stream().map(String::valueOf).sorted().toList().toString()
                        : String.valueOf(value);
                settings.put(key + "." + name.replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT), text);
            } catch (ReflectiveOperationException impossible) {
                throw new IllegalStateException("the accessors of a record are public", impossible);
            }
        }
    }
}
