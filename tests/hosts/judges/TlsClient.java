// Copyright: (c) 2026, mutual.tls contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * A Java client with the identity and the trust of a keystore: `java TlsClient.java HOST PORT KEYSTORE`, with the keystore's password on
 * standard input. Prints what the server answers to a word, or what Java says of the handshake.
 */
class TlsClient {
    public static void main(String[] arguments) throws Exception {
        char[] password = new BufferedReader(new InputStreamReader(System.in)).readLine().toCharArray();
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (var stream = Files.newInputStream(Path.of(arguments[2]))) {
            store.load(stream, password);
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, password);
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(arguments[0], Integer.parseInt(arguments[1]))) {
            socket.setSoTimeout(20_000);
            socket.getOutputStream().write("HELLO probe\n".getBytes("US-ASCII"));
            System.out.println(new BufferedReader(new InputStreamReader(socket.getInputStream())).readLine());
        } catch (javax.net.ssl.SSLException refusal) {
            System.out.println(refusal);
        }
    }
}
