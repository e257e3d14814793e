package io.ambo.node.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class FailClosedTest {
    private static final Duration ONE_SECOND = Duration.ofSeconds(1);
    private TwoHosts hosts;

    @BeforeEach
    void open() {
        hosts = TwoHosts.create();
        hosts.sysctl("net.ipv4.conf.all.forwarding=1");
        hosts.sysctl("net.ipv6.conf.all.forwarding=1");
    }

    @AfterEach
    void close() { if (hosts != null) hosts.close(); }

    @Test
    void forwardingIsOffOnTheDataInterfacesAndStaysOffAfterwards() throws Exception {
        try (FailClosed closed = hosts.call(() -> FailClosed.engage(List.of("east0", "absent0")))) {
            assertOff("net.ipv4.conf.east0.forwarding");
            assertThat(closed.violations()).isZero();
        }
        assertOff("net.ipv4.conf.east0.forwarding");
        assertOff("net.ipv4.conf.east0.accept_redirects");
        assertOff("net.ipv4.conf.east0.send_redirects");
        assertOff("net.ipv6.conf.east0.accept_redirects");
        assertOff("net.ipv6.conf.east0.accept_ra");
        assertOff("net.ipv6.conf.east0.forwarding");
        assertThat(hosts.sysctlValue("net.ipv6.conf.all.forwarding")).as("IPv6 forwards by this one alone").isEqualTo("0");
        assertThat(hosts.sysctlValue("net.ipv4.conf.west0.forwarding")).as("not a data interface").isEqualTo("1");
    }

    @Test
    void whoTurnsForwardingOnFindsItTurnedOffAgain() throws Exception {
        try (FailClosed closed = hosts.call(() -> FailClosed.engage(List.of("east0")))) {
            hosts.sysctl("net.ipv4.ip_forward=0");
            hosts.sysctl("net.ipv4.ip_forward=1");
            awaitOff("net.ipv4.conf.east0.forwarding");
            hosts.sysctl("net.ipv4.conf.east0.forwarding=1");
            awaitOff("net.ipv4.conf.east0.forwarding");
            hosts.sysctl("net.ipv6.conf.all.forwarding=1");
            awaitOff("net.ipv6.conf.all.forwarding");
            await().atMost(ONE_SECOND).until(() -> closed.violations() == 3);
        }
    }

    @Test
    void anInterfaceThatAppearsLaterDoesNotForwardEither() throws Exception {
        try (FailClosed closed = hosts.call(() -> FailClosed.engage(List.of("late0")))) {
            hosts.sysctl("net.ipv4.conf.default.forwarding=1");
            hosts.ip("link add late0 type veth peer name late1");
            awaitOff("net.ipv4.conf.late0.forwarding");
            assertThat(closed.violations()).isPositive();
        }
    }

    private void awaitOff(String name) { await(name).atMost(ONE_SECOND).until(() -> hosts.sysctlValue(name), "0"::equals); }

    private void assertOff(String name) { assertThat(hosts.sysctlValue(name)).as(name).isEqualTo("0"); }
}
