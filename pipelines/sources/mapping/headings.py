"""What columns are called in other languages than English, as patterns over plain words (accents taken off)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_DE_NO: Final = r"( ?(nr|nummer|no|id))?"
_FR_NO: Final = r"(n|no|numero|num|ref|reference) (de )?(la )?"
_ES_NO: Final = r"(n|no|num|numero|id|codigo) (de )?(o |do |del )?"
_IT_NO: Final = r"(n|no|num|numero|id|codice) (di |del )?"

HEADINGS: Final[Mapping[str, str]] = {
    "order_id": (
        rf"(auftrags?|bestell(ungs)?|rechnungs?|beleg)( ?(nr|nummer|no|id))|auftrag|bestellung|({_FR_NO})?commande"
        rf"|{_ES_NO}(pedido|orden|encomenda)|pedido|{_IT_NO}ordine|ordine|(bestel|order) ?(nummer|nr)"
    ),
    "line_id": rf"(auftrags?|bestell)?(position|pos|zeile)(s? ?(nr|nummer))?|ligne|({_ES_NO})?(linea|linha)|riga"
    r"|(regel|orderregel)( ?nummer)?",
    "sku": (
        rf"(artikel|material|produkt){_DE_NO}|({_FR_NO}|code )?(article|produit)|reference( article| produit)?"
        rf"|({_ES_NO})?(articulo|producto|artigo|produto)|codigo|referencia|({_IT_NO})?(articolo|prodotto)"
    ),
    "shipped_quantity": (
        r"(liefer|versand)menge|gelieferte menge|quantite (livree|expediee)|cantidad (enviada|entregada)"
        r"|quantita (spedita|consegnata)|geleverd aantal"
    ),
    "quantity": (
        r"(bestell|auftrags)?menge|anzahl|stueck(zahl)?|stuck(zahl)?|quantite( commandee)?|qte|cantidad( pedida)?|cant"
        r"|quantidade|quantita( ordinata)?|qta|aantal( besteld)?"
    ),
    "unit_price": (
        r"(einzel|stueck|stuck|verkaufs)?preis|prix( unitaire)?( ht)?|pu( ht)?|precio( unitario)?|preco( unitario)?"
        r"|prezzo( unitario)?|(stuks|eenheids)?prijs"
    ),
    "unit_cost": r"(einstands|einkaufs)preis|prix d achat|(coste|custo|costo)( unitario)?|kostprijs",
    "line_total": (
        r"(gesamt|netto|brutto|zeilen)?(betrag|summe|preis)|gesamtpreis|montant( ht| ttc)?|total (ht|ttc|ligne)"
        r"|importe( total)?|valor( total)?|importo( totale)?|bedrag|totaal"
    ),
    "currency": r"waehrung|wahrung|devise|monnaie|moneda|moeda|valuta",
    "shipped_at": (
        r"(versand|liefer ?schein|warenausgangs?|ausliefer(ungs)?)(datum|tag)?|versendet( am)?"
        r"|date (d |de )?(expedition|envoi)|expedie le|fecha (de )?(envio|expedicion|despacho)"
        r"|data (de )?(envio|expedicao)"
        r"|data (di )?spedizione|verzend(datum)?|verzonden( op)?"
    ),
    "delivered_at": (
        r"(liefer|zustell|ankunfts?)(datum|tag)|(zu)?geliefert( am)?|zugestellt( am)?|date (de )?livraison( reelle)?"
        r"|livre le|fecha (de )?entrega( real)?|data (de )?entrega( real)?|data (di )?consegna( effettiva)?"
        r"|(af)?lever(datum)|geleverd( op)?"
    ),
    "ship_by_at": r"versand bis|spaetester versand|spatester versand|expedier avant( le)?|enviar antes de",
    "requested_at": (
        r"wunsch(termin|datum)|gewuenschter liefertermin|gewunschter liefertermin"
        r"|date (de livraison )?(souhaitee|demandee)|fecha (de entrega )?(solicitada|requerida)"
        r"|data (de entrega )?solicitada|data (di )?(consegna )?richiesta|gewenste (lever)?datum"
    ),
    "promised_at": (
        r"(zugesagter |geplanter |bestaetigter |bestatigter )?liefertermin|zugesagt( am| fuer| fur)?"
        r"|date (de livraison )?(prevue|promise|confirmee)|fecha (de entrega )?(prevista|prometida|comprometida)"
        r"|data (de entrega )?prevista|data (di )?(consegna )?prevista|(verwachte|beloofde) (lever)?datum"
    ),
    "cancelled_at": (
        r"storn(o|ierungs?|iert)( ?(datum|am))?|date (d )?annulation|annulee? le|fecha (de )?(cancelacion|anulacion)"
        r"|data (de )?cancelamento|data (di )?annullamento|annuleringsdatum"
    ),
    "ordered_at": (
        r"(auftrags|bestell|beleg|rechnungs|erfassungs)(datum|tag|zeit)|bestellt( am)?|erstellt( am)?|datum"
        r"|date (de )?(la )?commande|date (de )?creation|commandee? le|fecha( (de )?(pedido|orden|compra|creacion))?"
        r"|data( (do |de )?(pedido|compra|criacao))?|data (dell? )?ordine|(bestel|order)datum|besteld op"
    ),
    "returned_at": (
        r"(retouren?|rueckgabe|ruckgabe|ruecksende|rucksende)(datum|tag)|date (de )?retour"
        r"|fecha (de )?devolucion|data (de )?devolucao|data (di )?reso|retourdatum"
    ),
    "rma_id": r"(retouren?|rma) ?(nr|nummer)|(numero|n) (de )?retour|numero (de )?devolucion|numero (di )?reso",
    "reason": r"(retouren?|rueckgabe|ruckgabe|storno)grund|motif( (de )?retour)?|motivo( (de )?(devolucion|reso))?",
    "status": r"(auftrags|bestell|liefer)status|statut|estado( (del )?pedido)?|stato( ordine)?",
    "carrier": r"spediteur|frachtfuehrer|frachtfuhrer|versanddienst(leister)?|transporteur|transportista|corriere"
    r"|transportadora|vettore|vervoerder",
    "tracking_number": (
        r"(sendungs|paket|tracking)(nr|nummer)|sendungsverfolgung|(numero|n|no) (de )?suivi"
        r"|(numero|codigo) (de )?(seguimiento|rastreo|rastreio)|numero (di )?tracking|(track|zending)nummer"
    ),
    "service_level": (
        r"versandart|lieferart|mode (de |d )?(livraison|expedition)|metodo (de )?envio|modalita (di )?spedizione"
        r"|verzendmethode"
    ),
    "customer_id": (
        rf"(kunden?|debitoren?){_DE_NO}|({_FR_NO}|code )?client|({_ES_NO}|{_IT_NO})?cliente|klant( ?(nr|nummer))?"
    ),
    "channel": r"(vertriebs|verkaufs)(kanal|weg)|kanal|canal( (de )?vent[ae])?|canale( (di )?vendita)?|verkoopkanaal",
    "category": r"(waren|artikel|produkt)gruppe|kategorie|categorie|categoria|categorie produit",
    "node_id": r"lager(ort)?|werk|entrepot|depot|almacen|deposito|armazem|magazzino|magazijn",
    "ship_to_region": r"bundesland|kanton|departement|provincia|estado|provincie|comunidad",
    "ship_to_country": r"(liefer|ziel)?land|pays( (de )?livraison)?|pais( (de )?(destino|entrega))?|paese",
    "ship_to_postal_code": r"plz|postleitzahl|code postal|cp|codigo postal|cep|cap|postcode",
    "freight_amount": r"(fracht|versand|liefer)kosten|frais (de )?(port|livraison)|gastos (de )?envio|frete"
    r"|spese (di )?spedizione|verzendkosten",
}
"""What a column is for → its names in German, French, Spanish, Portuguese, Italian and Dutch."""

CANCELLED: Final = r"cancel|storn|annul|anulad|geannuleerd"
"""Part of a status word that says that an order was cancelled, in those languages."""
