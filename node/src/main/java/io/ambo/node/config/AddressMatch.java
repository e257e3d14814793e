package io.ambo.node.config;

import java.util.List;

/**
 * Which addresses a rule speaks of: those in one of the included networks (all, when none is named) and in none of the excluded ones (written with !).
 */
public record AddressMatch(List<Cidr> included, List<Cidr> excluded) {
    public static final AddressMatch ANY = new AddressMatch(List.of(), List.of());

    public AddressMatch {
        included = List.copyOf(included);
        excluded = List.copyOf(excluded);
    }

    public boolean isAny() { return included.isEmpty() && excluded.isEmpty(); }

    public boolean matches(long high, long low) {
        for (int i = 0; i < excluded.size(); i++) if (excluded.get(i).contains(high, low)) return false;
        if (included.isEmpty()) return true;
        for (int i = 0; i < included.size(); i++) if (included.get(i).contains(high, low)) return true;
        return false;
    }
}
