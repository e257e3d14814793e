package io.ambo.node.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** What differs between two configurations, key by key. */
public record ConfigDiff(List<Change> changes) {

    /**
     * One key whose value differs.
     *
     * @param key          dotted; entries of lists by their name: {@code firewall.rules.web}
     * @param from         the old value as text
     * @param to           the new value as text
     * @param needsRestart a reload cannot apply it
     */
    public record Change(String key, String from, String to, boolean needsRestart) {
        /** {@code timeouts.icmp: 10s -> 20s} */
        @Override
        public String toString() { return key + ": " + from + " -> " + to; }
    }

    public ConfigDiff {
        changes = List.copyOf(changes);
    }

    /** What putting the new one in the old one's place would change. */
    public static ConfigDiff between(Config old, Config next) {
        List<Change> changes = new ArrayList<>();
        for (ConfigKey key : ConfigKey.ALL) {
            String from = key.text().apply(old);
            String to = key.text().apply(next);
            if (!from.equals(to)) changes.add(new Change(key.path(), shown(from), shown(to), key.apply() == ConfigKey.Apply.RESTART));
        }
        compare("interfaces", old.interfaces(), next.interfaces(), InterfaceConfig::name, true, changes);
        compare("firewall.rules", old.firewall().rules(), next.firewall().rules(), RuleConfig::name, false, changes);
        compare("nat", old.nat(), next.nat(), NatConfig::name, false, changes);
        compare("addresses", old.addresses(), next.addresses(), FloatingConfig::text, false, changes);
        compare("tracking.reachability", old.tracking().reachability(), next.tracking().reachability(), Object::toString, false, changes);
        return new ConfigDiff(changes);
    }

    public boolean isEmpty() { return changes.isEmpty(); }

    /** The changes that a reload must refuse. Empty: the whole difference can be applied while packets run. */
    public List<Change> needingRestart() {
        return changes.stream().filter(Change::needsRestart).toList();
    }

    private static <T> void compare(String list, List<T> old, List<T> next, Function<T, String> name, boolean needsRestart,
            List<Change> changes) {
        Map<String, T> before = byName(old, name);
        Map<String, T> after = byName(next, name);
        before.forEach((key, entry) -> {
            T now = after.get(key);
            if (now == null) changes.add(new Change(list + "." + key, "present", "removed", needsRestart));
            else if (!now.equals(entry)) changes.add(new Change(list + "." + key, "old", "changed", needsRestart));
        });
        after.keySet().stream().filter(key -> !before.containsKey(key))
                .forEach(key -> changes.add(new Change(list + "." + key, "absent", "added", needsRestart)));
        List<String> keptBefore = before.keySet().stream().filter(after::containsKey).toList();
        List<String> keptAfter = after.keySet().stream().filter(before::containsKey).toList();
        if (!keptBefore.equals(keptAfter))
            changes.add(new Change(list, String.join(", ", keptBefore), String.join(", ", keptAfter), needsRestart));
    }

    private static <T> Map<String, T> byName(List<T> entries, Function<T, String> name) {
        Map<String, T> byName = new LinkedHashMap<>();
        for (T entry : entries) byName.put(name.apply(entry), entry);
        return byName;
    }

    private static String shown(String value) { return value.isEmpty() ? "(none)" : value; }
}
