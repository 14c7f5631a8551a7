import ArgumentParser
import AsyncHTTPClient
import Configuration
import GRDB
import Histogram
import Hummingbird
import NIOSSL
import ServiceLifecycle
import SwiftProtobuf
import X509
import Yams
print("hi")
