package io.ambo.hatests.traffic;

import com.sun.net.httpserver.HttpServer;
import io.ambo.hatests.lab.LabException;
import io.ambo.hatests.lab.NetworkNamespace;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;

/** A web page on a host of the lab, in IPv4 and IPv6. */
public final class WebServer implements AutoCloseable {
    private static final byte[] PAGE = "Hello from the far side of Ambo.\n".getBytes(StandardCharsets.US_ASCII);
    private final HttpServer server;

    public WebServer(NetworkNamespace host, int port) {
        server = host.call(() -> HttpServer.create(new InetSocketAddress(port), 128));
        server.createContext("/", exchange -> {
            try (exchange) {
                exchange.sendResponseHeaders(200, PAGE.length);
                exchange.getResponseBody().write(PAGE);
            } catch (IOException gone) {
                throw new LabException("the web client went away", gone);
            }
        });
        server.start();
    }

    @Override
    public void close() { server.stop(0); }
}
