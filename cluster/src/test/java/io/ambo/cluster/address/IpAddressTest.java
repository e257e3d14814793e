package io.ambo.cluster.address;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class IpAddressTest {
    @ParameterizedTest
    @CsvSource({ "10.0.0.7, 10.0.0.7", "2001:DB8::0:7, 2001:db8::7", "::, ::", "::1, ::1", "1::, 1::",
            "2001:db8:0:1:1:1:1:1, 2001:db8:0:1:1:1:1:1",
            "2001:0:0:1:0:0:0:1, 2001:0:0:1::1", "1:0:0:2:0:0:3:4, 1::2:0:0:3:4", "::ffff:10.0.0.7, 10.0.0.7",
            "64:ff9b::192.0.2.33, 64:ff9b::c000:221",
            "1:2:3:4:5:6:7:0, 1:2:3:4:5:6:7:0" })
    void addressesAreWrittenAsRfc5952Says(String text, String written) { assertThat(IpAddress.parse(text)).hasToString(written); }

    @ParameterizedTest
    @ValueSource(strings = { "", "10.0.0", "10.0.0.256", "10.0.0.07", "10.0.0.7.8", "1.2.3.4x", ":", ":::", "1::2::3", "12345::",
            "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7::8", "::10.0.0", "fe80::1%eth0", "example.org", "\u0661.2.3.4", "-1.2.3.4" })
    void whatIsNoAddressIsNone(String text) { assertThat(IpAddress.parse(text)).isNull(); }

    @Test
    void textAndBytesAgreeWithTheJdk() throws UnknownHostException {
        long seed = Long.getLong("ambo.seed", 42);
        System.out.println("seed " + seed + " (-Dambo.seed=" + seed + ")");
        Random random = new Random(seed);
        for (int i = 0; i < 2000; i++) {
            byte[] bytes = new byte[random.nextBoolean() ? 4 : 16];
            random.nextBytes(bytes);
            if (bytes.length == 16) for (int zero = random.nextInt(12); zero < 12; zero++) bytes[2 + random.nextInt(14)] = 0;
            IpAddress address = Objects.requireNonNull(IpAddress.ofBytes(bytes));
            assertThat(IpAddress.parse(address.toString())).isEqualTo(address);
            assertThat(InetAddress.getByName(address.toString()).getAddress()).isEqualTo(address.toBytes());
        }
    }
}
