package io.ambo.node.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigLoaderTest {
    static final String MINIMAL = """
            node: { name: a }
            interfaces: [ { name: eth1, zone: inside } ]
            cluster: { name: edge, bind-address: 192.0.2.1, key-file: /etc/ambo/cluster.key }
            """;

    @Test
    void theExampleThatIsDeliveredIsAccepted() {
        Config config = accepted(ConfigLoader.load(Path.of("src/main/dist/ambo.yml"), new FakeHost()));
        assertThat(config.interfaces()).containsExactly(new InterfaceConfig("eth1", "inside", "", -1),
                new InterfaceConfig("eth2", "outside", "", -1), new InterfaceConfig("eth2.40", "dmz", "eth2", 40));
        assertThat(config.firewall().rules()).extracting(RuleConfig::name).containsExactly("web", "dns", "ping", "database", "nobody-else");
        RuleConfig database = config.firewall().rules().get(3);
        assertThat(database.source().included()).extracting(Cidr::toString).containsExactly("10.40.0.0/16", "2001:db8:40::/48");
        assertThat(database.source().excluded()).extracting(Cidr::toString).containsExactly("10.40.9.0/24");
        assertThat(database.ports()).containsExactly(new PortRange(5432, 5432));
        assertThat(database.timeoutMs()).isEqualTo(8 * 3600 * 1000);
        assertThat(database.onTimeout()).isEqualTo(OnTimeout.RESET);
        assertThat(database.midStream()).isEqualTo(MidStream.ACCEPT);
        assertThat(database.defer()).isTrue();
        assertThat(config.firewall().rules().get(0).ports()).containsExactly(new PortRange(80, 80), new PortRange(443, 443),
                new PortRange(8000, 8100));
    }

    @Test
    void whatIsLeftOutHasItsDefault() {
        Config config = accepted(ConfigLoader.parse("ambo.yml", MINIMAL, new FakeHost()));
        assertThat(config.node().controlSocket()).isEqualTo(Path.of("/var/lib/ambo/control.sock"));
        assertThat(config.firewall()).isEqualTo(new FirewallConfig(Action.DROP, List.of()));
        assertThat(config.timeouts()).isEqualTo(new TimeoutConfig(30_000, 7_200_000, 120_000, 10_000, 30_000, 120_000, 10_000, 120_000));
        assertThat(config.cluster().parkNs()).isEqualTo(10_000_000);
        assertThat(config.cluster().transport()).isEqualTo(Transport.UDP);
        assertThat(config.datapath())
                .isEqualTo(new DatapathConfig(DatapathConfig.WORKERS_AUTO, List.of(), XdpMode.AUTO, 32 << 20, true, 8, 600_000));
    }

    @Test
    void aRuleWithoutConditionsMatchesEverything() {
        String text = MINIMAL + "firewall: { rules: [ { name: all, from: any, source: any, protocol: any, action: allow } ] }\n";
        RuleConfig rule = accepted(ConfigLoader.parse("ambo.yml", text, new FakeHost())).firewall().rules().getFirst();
        assertThat(rule.from()).isEmpty();
        assertThat(rule.source()).isEqualTo(AddressMatch.ANY);
        assertThat(rule.protocols()).isEqualTo(EnumSet.allOf(Protocol.class));
        assertThat(rule.ports()).isEmpty();
    }

    @Test
    void twoMistakesAreReportedTogetherInTheWordsOfTheHandbook() {
        String text = """
                node:
                  name: a

                cluster:
                  name: edge
                  bind-address: 192.0.2.1
                  key-file: /etc/ambo/cluster.key

                # data interfaces

                interfaces:
                  - name: eth1
                    zone: inside
                  - name: eth9
                    zone: outside

                firewall:
                  default: drop
                  rules:
                    - name: web
                      from: inside
                      action: allow

                    - name: dns
                      from: inside
                      action: allow

                    - name: high
                      protocol: tcp
                      action: allow
                      ports: [80000]
                """;
        assertThat(refused(ConfigLoader.parse("ambo.yml", text, new FakeHost())).report()).isEqualTo("""
                ambo.yml:14 interfaces[1].name = eth9: no such interface on this host (have: lo, sync, eth1, eth2, eth2.40)
                ambo.yml:31 firewall.rules[2].ports = [80000]: ports are 1-65535
                2 problems, nothing was changed""");
    }

    @Test
    void aVlanInterfaceWithoutAKernelToAskSaysItsParentItself() {
        String text = MINIMAL.replace("{ name: eth1, zone: inside }", "{ name: eth1.7, zone: inside, parent: eth1, vlan: 7 }");
        Config config = accepted(ConfigLoader.parse("ambo.yml", text, HostFacts.UNKNOWN));
        assertThat(config.interfaces()).containsExactly(new InterfaceConfig("eth1.7", "inside", "eth1", 7));
        assertThat(config.interfaces().getFirst().device()).isEqualTo("eth1");
    }

    @Test
    void aFileThatCannotBeReadIsAProblemToo(@TempDir Path directory) throws IOException {
        Path missing = directory.resolve("none.yml");
        assertThat(refused(ConfigLoader.load(missing, new FakeHost())).report())
                .isEqualTo(
                        missing + ": no such file (start from the example that comes with Ambo, ambo.yml)\n1 problem, nothing was changed");
        assertThat(refused(ConfigLoader.load(directory, new FakeHost())).report()).startsWith(directory + ": is a directory");
        Path binary = Files.write(directory.resolve("binary.yml"), new byte[]{ 'a', ':', ' ', (byte) 0xFF, (byte) 0xFE });
        assertThat(refused(ConfigLoader.load(binary, new FakeHost())).report()).startsWith(binary + ": is no UTF-8 text");
        Path large = Files.write(directory.resolve("large.yml"), new byte[5 << 20]);
        assertThat(refused(ConfigLoader.load(large, new FakeHost())).report()).startsWith(large + ": is larger than 4MiB");
    }

    @Test
    void aThousandMistakesAreNotAllListed() {
        StringBuilder text = new StringBuilder(MINIMAL);
        for (int i = 0; i < 1000; i++) text.append("key").append(i).append(": 1\n");
        assertThat(refused(ConfigLoader.parse("ambo.yml", text.toString(), new FakeHost())).problems()).hasSize(Reading.PROBLEMS_MAX);
    }

    @Test
    void nestingWithoutEndIsRefusedAndNotFollowed() {
        String text = MINIMAL + "firewall: " + "[".repeat(200_000);
        assertThat(refused(ConfigLoader.parse("ambo.yml", text, new FakeHost())).report())
                .startsWith("ambo.yml:4: is nested more than 32 deep");
    }

    static Config accepted(Loaded loaded) {
        assertThat(loaded).as(() -> loaded instanceof Loaded.Refused refused ? refused.report() : "").isInstanceOf(Loaded.Accepted.class);
        return ((Loaded.Accepted) loaded).config();
    }

    static Loaded.Refused refused(Loaded loaded) {
        assertThat(loaded).isInstanceOf(Loaded.Refused.class);
        return (Loaded.Refused) loaded;
    }
}
