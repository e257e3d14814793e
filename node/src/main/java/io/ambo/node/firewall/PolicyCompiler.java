package io.ambo.node.firewall;

import io.ambo.cluster.address.IpAddress;
import io.ambo.node.config.Cidr;
import io.ambo.node.config.Config;
import io.ambo.node.config.MidStream;
import io.ambo.node.config.NatConfig;
import io.ambo.node.config.OnTimeout;
import io.ambo.node.config.PortRange;
import io.ambo.node.config.Protocol;
import io.ambo.node.config.RuleConfig;
import io.ambo.node.config.TimeoutConfig;
import io.ambo.node.packet.PacketView;
import java.util.Collection;
import java.util.List;
import java.util.Objects;

/** Makes a {@link Policy} of a checked config. Pure. */
public final class PolicyCompiler {
    private PolicyCompiler() {}

    public static Policy compile(Config config) {
        List<Rule> rules = config.firewall().rules().stream().map(PolicyCompiler::rule).toList();
        return new Policy(rules, Rule.defaultRule(action(config.firewall().defaultAction())), timeouts(config.timeouts()),
                config.limits().sessionsPerSource(), new Nat(config.nat().stream().map(each -> nat(each, config)).toList()));
    }

    private static NatRule nat(NatConfig rule, Config config) {
        Match match = new Match(zones(rule.from()), zones(rule.to()), rule.source(), rule.destination(), protocols(rule.protocols()),
                new int[0], ports(rule.ports()));
        IpAddress dnat = rule.dnat();
        if (dnat != null) return new NatRule(rule.name(), false, match, dnat.high(), dnat.low(), 1, rule.dnatPort(), rule.dnatPort());
        Cidr snat = Objects.requireNonNull(rule.snat(), "checked: a rule has one of both");
        // Equal shares, in the order of the list. What the division leaves over stays unused.
        int first = rule.snatPorts().first();
        int share = (rule.snatPorts().last() - first + 1) / config.cluster().members().size();
        int own = first + share * config.cluster().members().indexOf(config.node().name());
        return new NatRule(rule.name(), true, match, snat.high(), snat.low(), 1 << 128 - snat.prefixLength(), own, own + share - 1);
    }

    private static Rule rule(RuleConfig rule) {
        Match match = new Match(zones(rule.from()), zones(rule.to()), rule.source(), rule.destination(), protocols(rule.protocols()),
                ports(rule.sourcePorts()), ports(rule.ports()));
        return new Rule(Names.ruleId(rule.name()), rule.name(), action(rule.action()), rule.log(), rule.timeoutMs(),
                rule.onTimeout() == OnTimeout.RESET,
                rule.midStream() == MidStream.ACCEPT, rule.defer(), rule.fastPath(), rule.maxSessions(), rule.maxSessionsPerSource(),
                match);
    }

    private static Rule.Action action(io.ambo.node.config.Action action) {
        return switch (action) {
            case ALLOW -> Rule.Action.ALLOW;
            case DROP -> Rule.Action.DROP;
            case REJECT -> Rule.Action.REJECT;
        };
    }

    private static Timeouts timeouts(TimeoutConfig config) {
        return new Timeouts(config.tcpOpeningMs(), config.tcpEstablishedMs(), config.tcpClosingMs(), config.tcpClosedMs(),
                config.udpSingleMs(),
                config.udpMultipleMs(), config.icmpMs(), config.tombstoneMs());
    }

    private static int[] zones(Collection<String> names) { return names.stream().mapToInt(Names::zoneId).toArray(); }

    private static int[] protocols(Collection<Protocol> protocols) {
        return protocols.stream().mapToInt(protocol -> switch (protocol) {
            case TCP -> PacketView.TCP;
            case UDP -> PacketView.UDP;
            case ICMP -> PacketView.ICMP;
        }).toArray();
    }

    private static int[] ports(List<PortRange> ranges) {
        int[] pairs = new int[2 * ranges.size()];
        for (int i = 0; i < ranges.size(); i++) {
            pairs[2 * i] = ranges.get(i).first();
            pairs[2 * i + 1] = ranges.get(i).last();
        }
        return pairs;
    }
}
