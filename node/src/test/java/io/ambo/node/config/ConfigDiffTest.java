package io.ambo.node.config;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ConfigDiffTest {
    private static final String GOOD = ConfigLoaderTest.MINIMAL;

    @Test
    void equalConfigsDoNotDiffer() { assertThat(diff(GOOD, GOOD + "# a comment\nlimits: { sessions: 1_000_000 }\n").isEmpty()).isTrue(); }

    @Test
    void policyAndTimeoutsAreReloaded() {
        String old = GOOD + "firewall: { rules: [ { name: a, action: allow }, { name: b, action: drop }, { name: c, action: drop } ] }";
        String next = GOOD + "timeouts: { icmp: 20s }\n"
                + "firewall: { default: reject, rules: [ { name: c, action: drop }, { name: b, action: reject }, { name: d, action: drop } ] }";
        ConfigDiff diff = diff(old, next);
        assertThat(diff.needingRestart()).isEmpty();
        assertThat(diff.changes()).map(ConfigDiff.Change::toString).containsExactly("firewall.default: drop -> reject",
                "timeouts.icmp: 10s -> 20s",
                "firewall.rules.a: present -> removed", "firewall.rules.b: old -> changed", "firewall.rules.d: absent -> added",
                "firewall.rules: b, c -> c, b");
    }

    @Test
    void whatIsSetUpAtTheStartNeedsARestart() {
        String next = GOOD.replace("edge", "core").replace("zone: inside", "zone: dmz")
                + "limits: { sessions: 5 }\ndatapath: { packet-memory: 64MiB }\n";
        assertThat(diff(GOOD, next).needingRestart()).map(ConfigDiff.Change::toString).containsExactly("cluster.name: edge -> core",
                "limits.sessions: 1000000 -> 5", "datapath.packet-memory: 32MiB -> 64MiB", "interfaces.eth1: old -> changed");
    }

    @Test
    void rulesWithTheSameWordsAreEqualAsText() {
        String rules = GOOD + "firewall: { rules: [ { name: a, action: allow, protocol: [udp, tcp], from: any, to: inside } ] }";
        String sameRules = rules.replace("[udp, tcp]", "[tcp, udp]");
        assertThat(config(rules).firewall()).hasToString(config(sameRules).firewall().toString());
    }

    private static ConfigDiff diff(String old, String next) { return ConfigDiff.between(config(old), config(next)); }

    private static Config config(String text) { return ConfigLoaderTest.accepted(ConfigLoader.parse("c", text, new FakeHost())); }
}
