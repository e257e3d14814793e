package io.ambo.node.firewall;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.node.packet.Ends;
import io.ambo.node.packet.PacketView;
import java.util.List;
import org.agrona.collections.Int2ObjectHashMap;

/**
 * Everything that decides about sessions, compiled from one config: immutable, and replaced as a whole by a reload. First match decides.
 */
public final class Policy {
    private final Rule[] rules;
    private final Rule defaultRule;
    private final Timeouts timeouts;
    private final int maxSessionsPerSource;
    private final Nat nat;
    private final Int2ObjectHashMap<Rule> byId = new Int2ObjectHashMap<>();

    /**
     * @param maxSessionsPerSource sessions one source address may have; 0: no limit
     */
    public Policy(List<Rule> rules, Rule defaultRule, Timeouts timeouts, int maxSessionsPerSource, Nat nat) {
        this.nat = nat;
        this.rules = rules.toArray(Rule[]::new);
        this.defaultRule = defaultRule;
        this.timeouts = timeouts;
        this.maxSessionsPerSource = maxSessionsPerSource;
        for (Rule rule : rules) byId.put(rule.id(), rule);
    }

    /**
     * The rule for a packet that would open a session.
     *
     * @param ends of which the destination is translated already: rules speak of who serves, and of who asks
     */
    public Rule judge(int fromZone, int toZone, PacketView packet, Ends ends) {
        return judge(fromZone, toZone, packet.protocol(), packet.sourceHigh(), packet.sourceLow(), packet.sourcePort(),
                ends.destinationHigh(), ends.destinationLow(), ends.destinationPort());
    }

    /** The rule for the first packet of a session that is open already. */
    public Rule judge(SessionKey key, SessionRecord session) {
        boolean fromHigh = session.has(SessionRecord.ORIGINAL_FROM_HIGH);
        if (session.has(SessionRecord.TRANSLATED)) {
            return judge(session.fromZone(), session.toZone(), key.protocol(), key.addressHigh(fromHigh), key.addressLow(fromHigh),
                    key.port(fromHigh), session.translatedHigh(true), session.translatedLow(true), session.translatedPort(true));
        }
        return judge(session.fromZone(), session.toZone(), key.protocol(), key.addressHigh(fromHigh), key.addressLow(fromHigh),
                key.port(fromHigh), key.addressHigh(!fromHigh), key.addressLow(!fromHigh), key.port(!fromHigh));
    }

    private Rule judge(int fromZone, int toZone, int protocol, long sourceHigh, long sourceLow, int sourcePort, long destinationHigh,
            long destinationLow, int destinationPort) {
        for (Rule rule : rules) {
            if (rule.match().matches(fromZone, toZone, protocol, sourceHigh, sourceLow, sourcePort, destinationHigh, destinationLow,
                    destinationPort))
                return rule;
        }
        return defaultRule;
    }

    /** The rule with this number; the default rule when a reload has removed it. */
    public Rule rule(int id) {
        Rule rule = byId.get(id);
        return rule == null ? defaultRule : rule;
    }

    public Nat nat() { return nat; }

    public Timeouts timeouts() { return timeouts; }

    /** Sessions one source may have under this rule; 0: no limit. */
    public int sessionsPerSource(Rule rule) {
        return rule.maxSessionsPerSource() > 0 ? rule.maxSessionsPerSource() : maxSessionsPerSource;
    }

    public boolean countsSources() {
        if (maxSessionsPerSource > 0) return true;
        for (Rule rule : rules) if (rule.maxSessionsPerSource() > 0 || rule.maxSessions() > 0) return true;
        return false;
    }
}
